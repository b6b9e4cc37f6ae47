import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { hierarchies } from '../../kernel/cgroup/cgroupfs.ts'
import { type Mount, mountinfo, mountOf } from '../../kernel/mount/mountinfo.ts'
import { status } from '../../kernel/process/procfs.ts'

/** Signs that we run in a container, and what is withheld from us there. */
export interface Surroundings {
  /** what the sign is, in words; undefined if there is none */
  mark: string | undefined
  /** /proc/self/uid_map */
  uidMap: string
  /** paths below /proc that other mounts cover */
  covered: string[]
  /** whether a seccomp filter is in force */
  filtered: boolean
  readOnly: string[]
}

/** The marks that container engines leave. A mark proves little: an image that became a VM's disk still has it. */
const MARKS: [path: string, says: (text: string) => string][] = [
  ['/run/systemd/container', text => text.trim()], // systemd's container interface
  ['/run/.containerenv', () => 'podman'],
  ['/.dockerenv', () => 'docker'],
]

export function surroundings(mounts = mountinfo()): Surroundings {
  const mark = MARKS.find(([path]) => existsSync(path))
  return {
    mark: mark && `${mark[1](readFileSync(mark[0], 'utf8'))}, by ${mark[0]}`,
    uidMap: readFileSync('/proc/self/uid_map', 'utf8'),
    covered: mounts.filter(covers).map(({ target }) => target),
    filtered: status('self').Seccomp === '2', // proc_pid_status(5)
    readOnly: ['/proc/sys', ...hierarchies().map(({ mount }) => mount)].filter(path =>
      isReadOnly(path, mounts),
    ),
  }
}

/** Whether a mount covers a part of /proc, as engines do to hide it. Two file systems are usual there. */
function covers({ target, type }: Mount): boolean {
  return target.startsWith('/proc/') && type !== 'binfmt_misc' && type !== 'autofs'
}

export function isReadOnly(path: string, mounts = mountinfo()): boolean {
  return mountOf(path, mounts)?.options.includes('ro') ?? false
}

/** The value of a setting below /proc/sys; undefined if this kernel does not have it. */
export function sysctl(file: string): string | undefined {
  const path = join('/proc/sys', file)
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined
}

/** user_namespaces(7): outside any user namespace, every id is mapped to itself. */
export function isWholeMap(uidMap: string): boolean {
  return /^\s*0\s+0\s+4294967295\s*$/.test(uidMap)
}

/** What is withheld from us, in words; empty on the learner's own machine. */
export function withheld({ uidMap, covered, filtered, readOnly }: Surroundings): string[] {
  return [
    ...(isWholeMap(uidMap) ? [] : ['only some user ids are mapped']),
    ...(covered.length ? [`parts of /proc are covered (${covered[0]} …)`] : []),
    ...(readOnly.length ? [`${readOnly[0]} is read-only`] : []),
    ...(filtered ? ['a seccomp filter is in force'] : []),
  ]
}
