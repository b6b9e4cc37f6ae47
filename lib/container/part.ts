import type { Cgroup } from '../kernel/cgroup/cgroup.ts'
import type { Gate } from '../kernel/tape/gate.ts'
import type { Later, Tape } from '../kernel/tape/tape.ts'
import type { Held } from './held.ts'
import type { Ledger } from './ledger/ledger.ts'
import type { Init } from './init.ts'
import type { Cable, NetworkPlan, NetworkRequests } from './net/network-plan.ts'
import type { Monitor } from './monitor.ts'
import type { MountSpec, Spec } from './spec.ts'
import type { Stdio } from './streams/streams.ts'

/** The names of our parts. */
const PART_NAMES = [
  'process',
  'namespaces',
  'root',
  'limits',
  'layers',
  'network',
  'hardening',
  'terminal',
] as const
export type PartName = (typeof PART_NAMES)[number]

export const isPartName = (name: string): name is PartName => PART_NAMES.some(ours => ours === name)

/**
 * What one chapter teaches, and one building block of every container. Each hook runs at its own time. `inside` only records, before
 * the clone: the child makes those calls after `attach`, but a value that `attach` makes does not exist yet. See start.ts.
 */
export interface Part {
  /** tells its calls apart on the tape; a learner may add parts with other names than ours */
  name: string
  /** 1. on the host, before the clone: make a cgroup, the folders of a layer */
  prepare?(container: Container): void | Promise<void>
  /** 2. at the clone: which CLONE_NEW* flags it needs */
  flags?(spec: Spec): number
  /** 3. on the host, while the child waits at the gate: uid_map, cgroup.procs, the bridge and the veth pair */
  attach?(container: Container, pid: number): void | Promise<void>
  /** 4. in the child, after the gate: what it does to itself */
  inside?(tape: Tape, container: Container, gate: Gate): void
}

/** Whether a part, or a call on a tape, has this name; unlike `===` with any text, it takes only the name of a part of ours. */
export const isPart = ({ name }: { name: string }, ours: PartName): boolean => name === ours

/** What a container is made from. */
export interface Plan {
  id: string
  spec: Spec
  /** where the root file system is on the host: the merged directory of an overlay, or a plain directory */
  rootfs: string
  /** the layers below the container's own, topmost first, and the folder for its own upper and work directories */
  layers?: { lower: string[]; folder: string; keep?: boolean }
  network?: NetworkPlan
  ledger: Ledger
  /** the program's descriptors 0, 1 and 2; our own unless given */
  stdio?: Stdio
  /** whether the container ends when its parent does: we, or its monitor */
  diesWithUs: boolean
  /** the process that becomes its parent, and stays with it when we have ended */
  monitor?: Monitor
  /** what becomes process 1 in the program's place, as the program's parent */
  init?: Init
  /** the root gets no mount options but those that the spec names: its devices are limited by a cgroup */
  rootAsGiven?: boolean
  /** where its root is mounted if it has no mount namespace of its own */
  mountedAt?: string
  /** it is created only, and waits until another command starts it */
  held?: Held
  /** whether the program joins a container that runs already */
  joins?: boolean
  /** whether its program is started from our memory, without a second stage: only for showing an attack */
  oneStage?: boolean
}

/** What the parts of a container make for it, for the hooks that run later. */
interface Made {
  /** by limits: if the container is limited */
  cgroup?: Cgroup
  /** by network: its names and addresses on the bridge, in mode bridge */
  cable?: Cable
  /** by network: the requests made to the kernel, to be shown like a tape */
  requests: NetworkRequests
  /** by terminal: the container's terminal, opened by the child, and our copy of the master */
  terminal?: { opened: Later; master?: number }
  /** by root: the copies of mounts whose ids we map while the child waits */
  idmapped?: ReadonlyMap<MountSpec, Later>
  /** by hardening: the descriptor by which another program decides about calls, as the child numbers it */
  listener?: Later
  /** by start: if its first process is a child of our child, receives its pid */
  inner?: Uint8Array
  /** by workdir: the working directory is entered already, as root */
  entered?: boolean
  /** by an engine's runtime: the descriptors that the program does not get are closed already */
  closed?: boolean
}

/** A container, as the hooks of its parts see it. */
export type Container = Plan & Made
