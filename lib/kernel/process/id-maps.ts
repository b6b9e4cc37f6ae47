import { readFileSync } from 'node:fs'
import { writeControl } from '../cgroup/control-file.ts'

/**
 * Writes the id maps of a new user namespace: user_namespaces(7). A process outside the namespace does it for a process inside
 * (which itself may map only one id, its creator's). Each line of a map is `inside outside count`. Throws a SyscallError
 * with the remedy.
 */
export function writeIdMaps(pid: number, uids: string, gids: string): void {
  // without CAP_SETGID over the parent namespace, a gid_map is accepted only after setgroups is denied
  if (process.getuid?.() !== 0) writeControl(`/proc/${pid}/setgroups`, 'deny')
  writeControl(`/proc/${pid}/uid_map`, uids)
  writeControl(`/proc/${pid}/gid_map`, gids)
}

/** Whether a user and a group have ids in our user namespace. An unmapped id appears as nobody, and no file can be given to it. */
export function areMapped({ uid, gid }: { uid: number; gid: number }): boolean {
  return isIn('uid_map', uid) && isIn('gid_map', gid)
}

function isIn(map: 'uid_map' | 'gid_map', id: number): boolean {
  const lines = readFileSync(`/proc/self/${map}`, 'utf8').trim().split('\n')
  const ranges = lines.map(line => line.trim().split(/\s+/).map(Number))
  return ranges.some(([first = 0, , count = 0]) => id >= first && id < first + count)
}
