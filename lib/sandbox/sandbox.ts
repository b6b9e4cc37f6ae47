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
 * | kind      | own namespaces                 | root in there is        | files to write to | cgroup | the program is        |
 * | --------- | ------------------------------ | ----------------------- | ----------------- | ------ | --------------------- |
 * | mounts    | mount                          | the machine's           | the machine's     | ours   | our child             |
 * | network   | user, mount, network, UTS, IPC | our user, with one id   | the machine's     | ours   | our child             |
 * | host      | these and PID                  | as above, or (1)        | the machine's     | a new  | process 1, in its own |
 * |           |                                |                         |                   |        | session               |
 * | protected | these and PID, inside another  | as above, or (2)        | those of a copy   | a new  | a child of process 1  |
 * |           | user and mount namespace       |                         |                   |        |                       |
 *
 * (1) With `root` it is the machine's root: there is no user namespace. (2) With `root` it has all ids, each mapped to itself.
 * MINILAB_SANDBOX tells a program that it is in a sandbox, except in `mounts`.
 */
export type Sandbox =
  /** for root: a mount made by mistake does not reach the machine */
  | { kind: 'mounts' }
  /** for an ordinary user, who may change links and firewall rules in it */
  | { kind: 'network' }
  /** for attacks: inside it looks like a fresh machine */
  | { kind: 'host'; root: boolean; cgroup: SandboxCgroup | Refused }
  /** for code that may be wrong, even on purpose: it has no disk, and its resources are limited */
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

/** The uid_map and gid_map of a sandbox: every id mapped to itself, or only root, mapped to our user. */
export function idMaps(all: boolean): [uids: string, gids: string] {
  if (all) return ['0 0 4294967295', '0 0 4294967295']
  return [`0 ${process.getuid?.()} 1`, `0 ${process.getgid?.()} 1`]
}
