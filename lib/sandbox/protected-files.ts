import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import {
  AT_FDCWD,
  AT_RECURSIVE,
  MOVE_MOUNT_F_EMPTY_PATH,
  MS_PRIVATE,
  MS_REC,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from '../kernel/syscalls/constants.ts'
import type { Refused } from '../kernel/cgroup/make-cgroup.ts'
import { mountinfo } from '../kernel/mount/mountinfo.ts'
import type { Later, Tape } from '../kernel/tape/tape.ts'
import { mountOwnDev } from './own-dev.ts'
import { makeReadOnly } from '../container/rootfs/mount-attributes.ts'
import type { SandboxCgroup } from './cgroup.ts'

/** What can be written to in a `protected` sandbox. */
export interface SandboxFiles {
  /** the one folder of which it has a copy */
  folder: string
  /** what it writes to in place of that folder */
  copy: string
  /** paths below the folder of which it sees the originals, read-only; the copy has a directory for each to be mounted on */
  shown: string[]
}

/**
 * Makes all files read-only, in the mount namespace of the caller, except the copy of one folder (without what is `shown` in
 * it) and the sandbox's own cgroups. A mount namespace by itself protects no file: root in it writes to the same disk.
 */
export function protectFiles(
  tape: Tape,
  { folder, copy, shown }: SandboxFiles,
  cgroup: SandboxCgroup | Refused,
): void {
  // mount_namespaces(7): in a user namespace the copies of shared mounts are slaves. What the machine mounts later would appear here,
  // and could be written to. Made private, they also keep what the machine unmounts until the sandbox ends
  tape.mount(null, '/', null, MS_REC | MS_PRIVATE, null)
  const hold = (path: string) => tape.open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)
  const place = (mount: Later, path: string) =>
    tape.move_mount(mount, '', AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH)
  const ours = 'around' in cgroup ? cgroup.around.folders.map(({ path }) => path) : []
  const real = realpathSync(folder)
  const layers = shown.map(name => join(real, name)).map(path => [path, hold(path)] as const)
  for (const [, mount] of layers) makeReadOnly(tape, mount)
  const writable = [[real, hold(copy)] as const, ...ours.map(path => [path, hold(path)] as const)]
  // where each proc is read-only, or covered in part, a user namespace cannot mount another proc: mount_too_revealing(),
  // fs/namespace.c. So one stays as it is, where no path leads
  const proc = tape.open_tree(AT_FDCWD, '/proc', OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE)
  // a mount that another covers, or whose path we may not pass, is out of reach for what is wrong as well
  for (const { target } of mountinfo()) makeReadOnly(tape.attempt, target)
  mountOwnDev(tape, proc)
  for (const [path, mount] of [...writable, ...layers]) place(mount, path)
}
