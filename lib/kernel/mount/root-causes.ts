import { existsSync, readFileSync } from 'node:fs'
import {
  MOVE_MOUNT_F_EMPTY_PATH,
  MS_RDONLY,
  OPEN_TREE_CLONE,
  S_IFBLK,
  S_IFCHR,
} from '../syscalls/constants.ts'
import { mountinfo } from './mountinfo.ts'
import { did, flag, isFile, type Rule, when } from '../syscalls/rule.ts'
import { hint } from '../../common/suggest.ts'

// Why the kernel refuses the calls that set up a root file system: fs/namespace.c, fs/namei.c, and the ERRORS of section 2.

const FILE_ON_FILE = 'a directory can only be mounted on a directory, a file only on a file'
const S_IFMT = 0o170000

const isInProc = (path: unknown) => /^\/(proc|sys)\//.test(String(path))

/** mount_too_revealing(), fs/namespace.c: a user namespace gets a new one only if it can already see one that shows as much. */
const sights: Rule[] = ['proc', 'sysfs'].map(type =>
  when(
    (args, earlier) =>
      args[2] === type && did('umount2', earlier) && !did('mount', earlier, a => a[2] === type),
    `inside a user namespace the kernel allows a new ${type === 'proc' ? '/proc' : '/sys'} only while another, fully visible one is still mounted`,
    `mount ${type} on the new root before the old root is unmounted`,
  ),
)

const readOnlySys = when(
  args => {
    const inSight = mountinfo().filter(({ type }) => type === 'sysfs')
    return (
      args[2] === 'sysfs' &&
      !flag(args, MS_RDONLY, 3) &&
      inSight.length > 0 &&
      inSight.every(({ options, superOptions }) => [...options, ...superOptions].includes('ro'))
    )
  },
  'the visible /sys is read-only, so a user namespace may only mount a read-only one',
  'mount it with MS_RDONLY',
)

/** Words that are often mistaken for a file system type, and what they are. */
const NO_TYPE: Record<string, string> = {
  bind: 'a bind mount is not a file system type but a flag: MS_BIND, with null for the type',
  rbind: 'a bind mount is not a file system type but a flag: MS_BIND | MS_REC, with null for the type',
}

function unknownType(type: string) {
  const known = readFileSync('/proc/filesystems', 'utf8').split(/\s+/).filter(Boolean)
  const load = `modprobe ${type}`
  const more = '/proc/filesystems lists those that it knows'
  return {
    cause: `this kernel does not know the file system "${type}"`,
    // a type that is listed now was loaded since, or is refused for another reason
    remedy:
      NO_TYPE[type] ?? `${known.includes(type) ? load : hint(type, known, load)}; ${more}`.replace('?;', '?'),
  }
}

/** These are checked before the general reasons for a refused mount. */
export const rootCauses: Record<string, Rule[]> = {
  'mount EPERM': [...sights, readOnlySys],
  'mount ENODEV': [([, , type]) => unknownType(String(type))],
  'mount ENOENT': [
    when(
      ([, target]) => isInProc(target) && !existsSync(String(target)),
      'this kernel has no such path',
      'tape.attempt.mount(…) continues if a path does not exist',
    ),
    when(
      ([, target], earlier) => isInProc(target) && did('pivot_root', earlier),
      'it does not exist: nothing is mounted on /proc or /sys in the new root',
      'mount it there first; a bind mount without MS_REC leaves out the mounts below it',
    ),
  ],
  'mount ENOTDIR': [
    when(
      ([source, target]) => isInProc(target) && isFile(source) !== isFile(target),
      FILE_ON_FILE,
      'tape.attempt.mount(…) continues if a call is refused: mount /dev/null on a file, a tmpfs on a directory',
    ),
    when(
      ([source, target]) => isFile(source) !== isFile(target),
      FILE_ON_FILE,
      'make a target of the same kind as the source (mkdir, or touch)',
    ),
  ],
  'move_mount EINVAL': [
    when(
      (_, earlier) => did('open_tree', earlier, args => !flag(args, OPEN_TREE_CLONE, 2)),
      'without OPEN_TREE_CLONE open_tree makes no copy: the descriptor is the mount in its old place, which is out of reach after pivot_root',
      'give open_tree OPEN_TREE_CLONE as well',
    ),
    when(
      ([, , , target], earlier) => did('mkdirat', earlier, args => args[1] === target),
      FILE_ON_FILE,
      'make an empty file as its place: mknodat with S_IFREG',
    ),
  ],
  'move_mount ENOENT': [
    when(
      args => args[1] === '' && !flag(args, MOVE_MOUNT_F_EMPTY_PATH, 4),
      'an empty path means the descriptor itself only with a flag',
      'give MOVE_MOUNT_F_EMPTY_PATH',
    ),
  ],
  'mknodat EPERM': [
    when(
      ([, , mode]) => [S_IFCHR, S_IFBLK].includes(Number(mode) & S_IFMT),
      'in a user namespace not even root can make device nodes',
      "make an empty file (S_IFREG), and put the host's device there: open_tree before the pivot, then move_mount",
    ),
  ],
  'chdir ENOENT': [
    when(
      ([path], earlier) =>
        String(path).startsWith('/') && (did('chroot', earlier) || did('pivot_root', earlier)),
      'a path that starts with / now begins at the new root, which has no such directory',
      'chdir("/") goes to the new root; or chdir before the root is changed',
    ),
  ],
  'symlinkat EEXIST': [
    when(
      ([, , link]) => String(link).startsWith('/proc/'),
      "the first argument of symlinkat is the link's target, the last is its path",
      'swap the two',
    ),
  ],
}
