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

/** What a process in a `protected` sandbox can write to. */
export interface SandboxFiles {
  /** the folder of the machine that the sandbox sees a copy of */
  folder: string
  /** the copy, which the sandbox writes to */
  copy: string
  /** paths below the folder whose originals the sandbox sees, read-only; the copy has a directory to mount each of them on */
  shown: string[]
}

/**
 * Makes all files read-only in the caller's mount namespace, except the copy of one folder (without what is `shown` in it) and
 * the sandbox's own cgroups. A mount namespace alone protects no file: root in it writes to the same disk.
 */
export function protectFiles(
  tape: Tape,
  { folder, copy, shown }: SandboxFiles,
  cgroup: SandboxCgroup | Refused,
): void {
  // mount_namespaces(7): a less privileged mount namespace gets its copies of shared mounts as slaves. A mount that the machine
  // makes later would appear here, and would be writable. Private mounts do not receive it; nor do they receive an unmount, so
  // this one keeps the mount until the sandbox ends
  tape.mount(null, '/', null, MS_REC | MS_PRIVATE, null)
  const cloneMount = (path: string) => tape.open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)
  const attach = (mount: Later, path: string) =>
    tape.move_mount(mount, '', AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH)
  const ours = 'around' in cgroup ? cgroup.around.folders.map(({ path }) => path) : []
  const real = realpathSync(folder)
  const layers = shown.map(name => join(real, name)).map(path => [path, cloneMount(path)] as const)
  for (const [, mount] of layers) makeReadOnly(tape, mount)
  const writable = [[real, cloneMount(copy)] as const, ...ours.map(path => [path, cloneMount(path)] as const)]
  // mount_too_revealing(), fs/namespace.c: a user namespace can mount a new proc only if one existing proc is neither read-only
  // nor covered. So we keep one such proc where no path leads
  const proc = tape.open_tree(AT_FDCWD, '/proc', OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE)
  // a mount that another one covers, or whose path we may not search, is out of reach for the sandbox too
  for (const { target } of mountinfo()) makeReadOnly(tape.attempt, target)
  mountOwnDev(tape, proc)
  for (const [path, mount] of [...writable, ...layers]) attach(mount, path)
}
