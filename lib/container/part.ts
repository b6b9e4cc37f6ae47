import type { Cgroup } from '../kernel/cgroup/cgroup.ts'
import type { Gate } from '../kernel/tape/gate.ts'
import type { Later, Tape } from '../kernel/tape/tape.ts'
import type { Ledger } from './ledger/ledger.ts'
import type { Cable, NetworkPlan, NetworkRequests } from './net/network-plan.ts'
import type { Spec } from './spec.ts'
import type { Stdio } from './streams/streams.ts'

/**
 * What one chapter teaches, and one piece of every container. Each hook acts at its own moment. `inside` only records, before the
 * clone: what the child then does comes after `attach`, but a value that `attach` makes is not there yet. See start.ts.
 */
export interface Part {
  /** by which its calls are told apart; a learner may add parts with other names than ours */
  name: string
  /** 1. at the clone: which CLONE_NEW* flags it needs */
  flags?(spec: Spec): number
  /** 2. on the host, before the clone: make a cgroup, the folders of a layer */
  prepare?(container: Container): void | Promise<void>
  /** 3. on the host, while the child waits at the gate: uid_map, cgroup.procs, the bridge and the veth pair */
  attach?(container: Container, pid: number): void | Promise<void>
  /** 4. in the child, after the gate: what it does to itself */
  inside?(tape: Tape, container: Container, gate: Gate): void
}

/** What a container is to be made of. */
export interface Plan {
  id: string
  spec: Spec
  /** where the root file system lies on the host: the merged directory of an overlay, or a plain directory */
  rootfs: string
  /** the layers below the container's own, topmost first, and the folder of its own upper and work directories */
  layers?: { lower: string[]; folder: string; keep?: boolean }
  network?: NetworkPlan
  ledger: Ledger
  /** what becomes the program's 0, 1 and 2; our own unless given */
  stdio?: Stdio
  /** whether the container ends when we do */
  diesWithUs: boolean
  /** whether its program is started from our own memory, without a second stage: what an attack is to be good for */
  oneStage?: boolean
}

/** What the parts of a container make for it, each for the hooks that come later. */
interface Made {
  /** by limits: where it is limited */
  cgroup?: Cgroup
  /** by network: its names and addresses on the bridge, in mode bridge */
  cable?: Cable
  /** by network: what was asked of the kernel, to be shown like a tape */
  requests: NetworkRequests
  /** by terminal: its own terminal, opened by the child, and our copy of the master */
  terminal?: { opened: Later; master?: number }
  /** by workdir: the working directory is entered already, as root */
  entered?: boolean
}

/** A container, as the hooks of its parts find it. */
export type Container = Plan & Made
