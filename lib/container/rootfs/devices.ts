import { AT_FDCWD, S_IFBLK, S_IFCHR, S_IFIFO, S_IFREG } from '../../kernel/syscalls/constants.ts'
import type { Tape } from '../../kernel/tape/tape.ts'
import { attachCopy, type Lent } from './mount-copy.ts'
import { inUserNamespace } from './mount-kinds.ts'
import type { DeviceRule, DeviceSpec, Spec } from '../spec.ts'

/** The devices that every container has: runtime-spec config-linux.md, "Default Devices". */
export const DEVICES: DeviceSpec[] = [
  { path: '/dev/null', type: 'c', major: 1, minor: 3, fileMode: 0o666 },
  { path: '/dev/zero', type: 'c', major: 1, minor: 5, fileMode: 0o666 },
  { path: '/dev/full', type: 'c', major: 1, minor: 7, fileMode: 0o666 },
  { path: '/dev/random', type: 'c', major: 1, minor: 8, fileMode: 0o666 },
  { path: '/dev/urandom', type: 'c', major: 1, minor: 9, fileMode: 0o666 },
  { path: '/dev/tty', type: 'c', major: 5, minor: 0, fileMode: 0o666 },
]

/**
 * What every container may use, whatever its spec says: the default devices, pseudo-terminals, and mknod(2) of any, which by itself lets no
 * process use them. As runc and crun: runc, libcontainer/specconv, AllowedDevices.
 */
export const ALWAYS_ALLOWED: DeviceRule[] = [
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...DEVICES.map(({ major, minor }): DeviceRule => ({ allow: true, type: 'c', major, minor, access: 'rwm' })),
  { allow: true, type: 'c', major: 136, access: 'rwm' }, // /dev/pts/*
  { allow: true, type: 'c', major: 5, minor: 2, access: 'rwm' }, // /dev/ptmx
  { allow: true, type: 'c', major: 10, minor: 200, access: 'rwm' }, // /dev/net/tun
]

export const LINKS = {
  '/dev/fd': '/proc/self/fd',
  '/dev/stdin': '/proc/self/fd/0',
  '/dev/stdout': '/proc/self/fd/1',
  '/dev/stderr': '/proc/self/fd/2',
  '/dev/ptmx': 'pts/ptmx',
}

/** What a new /dev holds: the devices of the spec, and the default ones that it does not replace. */
export function devicesFor({ linux: { devices = [] } }: Spec): DeviceSpec[] {
  const own = devices.filter(isInDev)
  return [...DEVICES.filter(({ path }) => !own.some(device => device.path === path)), ...own]
}

/** Fills a new /dev: its devices (bind-mounted in a user namespace, otherwise made), and the usual links. */
export function devices(tape: Tape, spec: Spec, lent: Lent, at: (path: string) => string): void {
  const all = devicesFor(spec)
  for (const { path } of all) {
    const copy = lent.get(path)
    if (!copy) continue
    makeFolders(tape, path, at)
    tape.mknodat(AT_FDCWD, at(path), S_IFREG | 0o666, 0)
    attachCopy(tape, copy, at(path))
  }
  makeNodes(tape, inUserNamespace(spec) ? [] : all, at)
  for (const [link, target] of Object.entries(LINKS))
    tape.allow('EEXIST').symlinkat(target, AT_FDCWD, at(link))
}

export const isInDev = ({ path }: DeviceSpec) => path.startsWith('/dev/')

/** Makes device files, each with exactly the mode given. */
export function makeNodes(tape: Tape, list: readonly DeviceSpec[], at = (path: string) => path): void {
  if (list.length) tape.umask(0)
  for (const { path, type, fileMode = 0o666, major = 0, minor = 0, uid = 0, gid = 0 } of list) {
    const kind = type === 'b' ? S_IFBLK : type === 'p' ? S_IFIFO : S_IFCHR
    makeFolders(tape, path, at)
    tape.allow('EEXIST').mknodat(AT_FDCWD, at(path), kind | (fileMode & 0o7777), makedev(major, minor))
    if (uid || gid) tape.fchownat(AT_FDCWD, at(path), uid, gid, 0)
  }
  if (list.length) tape.umask(0o022)
}

/** Makes the directories for a device such as /dev/net/tun: those below /dev. */
function makeFolders(tape: Tape, path: string, at: (path: string) => string): void {
  const [dev, ...names] = path.split('/').slice(1, -1)
  const folders = dev === 'dev' ? names.map((_, i) => `/dev/${names.slice(0, i + 1).join('/')}`) : []
  for (const folder of folders) tape.allow('EEXIST').mkdirat(AT_FDCWD, at(folder), 0o755)
}

/** As the kernel takes it: 12 bits of major and 20 of minor, new_encode_dev() of linux/kdev_t.h. */
export const makedev = (major: number, minor: number) =>
  (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)
