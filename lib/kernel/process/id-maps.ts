import { readFileSync } from 'node:fs'
import { writeControl } from '../cgroup/control-file.ts'

/**
 * Says who the users of a new user namespace are: user_namespaces(7). A process outside of it does, for one in it
 * (which may itself map one id at most, its maker's); each line of a map is `inside outside count`. Throws a SyscallError
 * with the remedy.
 */
export function writeIdMaps(pid: number, uids: string, gids: string): void {
  // without CAP_SETGID over the parent namespace a gid_map is accepted only once setgroups is denied
  if (process.getuid?.() !== 0) writeControl(`/proc/${pid}/setgroups`, 'deny')
  writeControl(`/proc/${pid}/uid_map`, uids)
  writeControl(`/proc/${pid}/gid_map`, gids)
}

/** Whether a user and a group have ids in our user namespace; who has none is nobody there, and can be given nothing. */
export function areMapped({ uid, gid }: { uid: number; gid: number }): boolean {
  return isIn('uid_map', uid) && isIn('gid_map', gid)
}

function isIn(map: 'uid_map' | 'gid_map', id: number): boolean {
  const lines = readFileSync(`/proc/self/${map}`, 'utf8').trim().split('\n')
  const ranges = lines.map(line => line.trim().split(/\s+/).map(Number))
  return ranges.some(([first = 0, , count = 0]) => id >= first && id < first + count)
}
