import type { Cgroup } from '../kernel/cgroup/cgroup.ts'
import type { Gate } from '../kernel/tape/gate.ts'
import type { Later, Tape } from '../kernel/tape/tape.ts'
import type { Ledger } from './ledger/ledger.ts'
import type { Network } from './net/network-plan.ts'
import type { Spec } from './spec.ts'
import type { Stdio } from './streams/streams.ts'

/** What one chapter teaches, and one piece of every container. Each hook runs at its own moment; see start.ts. */
export interface Part {
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

/** A container to be: what it shall be made of, and what its parts have made for it on the host. */
export interface Container {
  id: string
  spec: Spec
  /** where the root file system lies on the host: the merged directory of an overlay, or a plain directory */
  rootfs: string
  /** the layers below the container's own, topmost first, and the folder of its own upper and work directories */
  layers?: { lower: string[]; folder: string; keep?: boolean }
  /** a terminal of its own: recorded by the terminal part, taken by us while the child waits at its second gate */
  terminal?: { opened?: Later; master?: number }
  network?: Network
  ledger: Ledger
  /** what becomes the program's 0, 1 and 2; our own unless given */
  stdio?: Stdio
  /** whether the container shall end when we do */
  diesWithUs: boolean
  /** the working directory is entered already, as root: see program.ts */
  entered?: boolean
  /** made by the limits part */
  cgroup?: Cgroup
}
