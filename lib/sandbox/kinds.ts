import {
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from '../kernel/syscalls/constants.ts'
import type { Refused } from '../kernel/cgroup/make-cgroup.ts'
import type { SandboxCgroup } from './cgroup.ts'
import type { SandboxFiles } from './protected-files.ts'

/**
 * The kinds of sandbox, from the least to the most separate. Whatever a program makes in its own namespaces ends with it.
 *
 * | kind      | own namespaces                 | user ids: with `root`          | writable files | cgroup  | it is                    |
 * | --------- | ------------------------------ | ------------------------------ | -------------- | ------- | ------------------------ |
 * | mounts    | mount                          | the machine's                  | the machine's  | ours    | a child, and not told    |
 * | network   | user, mount, network, UTS, IPC | 0 is ours                      | the machine's  | ours    | a child                  |
 * | host      | these and PID                  | 0 is ours: no user namespace   | the machine's  | its own | process 1, in a session  |
 * | protected | these and PID, inside another  | 0 is ours: all, each to itself | a copy's       | its own | a child of process 1     |
 * |           | user and mount namespace       |                                |                |         |                          |
 */
export type Sandbox =
  /** for root: what is mounted by mistake reaches nothing outside */
  | { kind: 'mounts' }
  /** for an ordinary user, who may change links and firewall rules in there */
  | { kind: 'network' }
  /** for attacks: in there it looks as on a machine where nothing has been done yet */
  | { kind: 'host'; root: boolean; cgroup: SandboxCgroup | Refused }
  /** for code that may be wrong, or is so on purpose: it has no disk, and what it may use is bounded */
  | { kind: 'protected'; root: boolean; cgroup: SandboxCgroup | Refused; files: SandboxFiles }

/** A sandbox of one kind. */
export type SandboxOf<K extends Sandbox['kind']> = Extract<Sandbox, { kind: K }>

const WITHOUT_PID = CLONE_NEWUSER + CLONE_NEWNS + CLONE_NEWNET + CLONE_NEWUTS + CLONE_NEWIPC

/** The namespaces that each kind has to itself, as clone(2) takes them. */
export const NAMESPACES = {
  mounts: CLONE_NEWNS,
  network: WITHOUT_PID,
  host: WITHOUT_PID + CLONE_NEWPID,
  protected: WITHOUT_PID + CLONE_NEWPID,
} as const satisfies Record<Sandbox['kind'], number>

/** The maps of a sandbox's user namespace: all ids, each mapped to itself; or root alone, who is our user. */
export function idMaps(all: boolean): [uids: string, gids: string] {
  if (all) return ['0 0 4294967295', '0 0 4294967295']
  return [`0 ${process.getuid?.()} 1`, `0 ${process.getgid?.()} 1`]
}
