import { existsSync, readFileSync } from 'node:fs'
import { diagnoseCgroup } from '../cgroup/cgroup-causes.ts'
import { namespaceInode } from '../process/procfs.ts'
import { OFFSETS_REFUSED } from '../process/time-offsets.ts'
import type { Diagnosis } from './syscall-error.ts'

/** The kernel reports failed writes to its control files only by errno, too; what that means depends on `path`. */
export function diagnoseWrite(path: string, code: string, value: string): Diagnosis | undefined {
  const found = code === 'EPERM' ? mapRefused(path) : diagnoseCgroup(path, code, value)
  if (found) return found
  for (const [pattern, codes, cause, remedy] of writes) {
    if (pattern.test(path) && codes.includes(code)) return { cause, remedy }
  }
  return undefined
}

/** The visible reasons why a map is refused: whose namespace it is, and whether it has a map already. */
function mapRefused(path: string): Diagnosis | undefined {
  const [, who] = /^\/proc\/(\d+|self)\/[ug]id_map$/.exec(path) ?? []
  if (!who || !existsSync(path)) return undefined
  const pid = who === 'self' ? who : Number(who)
  if (namespaceInode(pid, 'user') === namespaceInode('self', 'user'))
    return {
      cause: 'that process is in our own user namespace, which has its map already',
      remedy: 'clone it with CLONE_NEWUSER, and write the map of the new process',
    }
  return readFileSync(path, 'utf8').trim()
    ? {
        cause: 'a map can be written only once, and this one is written already',
        remedy: 'write all its lines in one write',
      }
    : undefined
}

const writes: [path: RegExp, codes: string[], cause: string, remedy: string][] = [
  [
    /\/[ug]id_map$/,
    ['EPERM'],
    'without root a map may only map one id to your own, and gid_map only after "deny" is in setgroups',
    'write setgroups "deny" first, then "0 <your id> 1"; for more ids install uidmap (newuidmap)',
  ],
  [
    /\/[ug]id_map$/,
    ['EINVAL'],
    'a line of a map is "inside outside count", without overlap',
    'correct the mapping',
  ],
  [
    /timens_offsets$/,
    ['EACCES'],
    `the clocks of a time namespace are settled when the first process enters it; ${OFFSETS_REFUSED.reason}`,
    OFFSETS_REFUSED.remedy,
  ],
  [
    /cgroup\.procs$/,
    ['EACCES', 'EPERM'],
    'moving a process needs write access to the cgroup it leaves, the one it joins and their common ancestor',
    'systemd-run --user --scope -p Delegate=yes minilab …, or sudo',
  ],
  [
    /cgroup\.procs$/,
    ['EBUSY'],
    'on cgroup v2 a cgroup that hands controllers to its children may hold no processes itself',
    'join a leaf below it',
  ],
  [/cgroup\.procs$/, ['ESRCH'], 'the process has ended', 'look at minilab ps'],
  [
    /cgroup\.subtree_control$/,
    ['EBUSY'],
    'this cgroup still has processes, and only an empty one may hand controllers down (no internal processes)',
    'move them into a leaf first',
  ],
  [
    /cgroup\.subtree_control$/,
    ['ENOENT', 'EINVAL'],
    'the parent does not hand down this controller',
    'cat cgroup.controllers shows what can be enabled here',
  ],
  [
    /\/sys\/fs\/cgroup\//,
    ['EACCES', 'EPERM', 'EROFS'],
    'this cgroup is not delegated to you',
    'systemd-run --user --scope -p Delegate=yes minilab …, or sudo',
  ],
  [
    /memory\.memsw\.limit_in_bytes$/,
    ['EINVAL'],
    'memory and swap together cannot be less than the limit of memory alone, which is none at first',
    'write memory.limit_in_bytes first',
  ],
  [
    /memory\.limit_in_bytes$/,
    ['EINVAL'],
    'the limit of memory alone cannot be more than memory.memsw.limit_in_bytes',
    'raise memory.memsw.limit_in_bytes first; the limit is a number of bytes',
  ],
  [
    /cpu\.(cfs_(quota|period)_us|max)$/,
    ['EINVAL'],
    'quota and period are in microseconds: each is at least 1000, and a period is at most 1000000',
    'write the numbers of the specification as they are',
  ],
  [
    /\/sys\/fs\/cgroup\//,
    ['EINVAL'],
    'the kernel does not accept this value',
    "see cgroups(7) and the controller's documentation",
  ],
]
