import { certain } from '../../common/certain.ts'
import { readFileSync } from 'node:fs'
import { closing, openFile } from '../../common/descriptor.ts'
import { O_CLOEXEC, O_DIRECTORY, O_RDONLY } from '../syscalls/constants.ts'
import { type Mount, mountinfo, parseMountinfo } from './mountinfo.ts'
import { visit } from '../tape/visit.ts'

/**
 * All mounts of a process's mount namespace, including those above a chroot: proc_pid_mountinfo(5) shows each
 * process only what is below its own root, but a process that joins by setns(2) gets the namespace's root.
 */
export async function namespaceMounts(pid: number): Promise<Mount[]> {
  using proc = openFile('/proc', O_DIRECTORY) // ours: inside there may be a different one, or none
  const replayed = await visit(pid, ['user', 'mnt'], tape => {
    tape.openat(proc.fd, 'self/mountinfo', O_RDONLY | O_CLOEXEC, 0)
  })
  using opened = closing(certain(replayed.find(({ call }) => call === 'openat')?.result))
  return parseMountinfo(readFileSync(opened.fd, 'utf8'))
}

/** The mount that is a process's "/"; undefined if "/" is a directory below a mount, as after chroot(2). */
export function rootMount(pid: number): Mount | undefined {
  using root = openFile(`/proc/${pid}/root`, O_DIRECTORY)
  const id = Number(/^mnt_id:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${root.fd}`, 'utf8'))?.[1])
  return mountinfo(pid).find(mount => mount.id === id && mount.target === '/')
}
