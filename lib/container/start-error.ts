import { dataFolder } from '../image/data-folder.ts'
import { useOtherFolder } from '../image/other-folder.ts'
import { errnoNumber } from '../common/errno.ts'
import { MinilabError } from '../common/errors.ts'
import { quote } from '../kernel/syscalls/argument-kinds.ts'
import { mountOf } from '../kernel/mount/mountinfo.ts'
import { SyscallError } from '../kernel/syscalls/syscall-error.ts'
import type { Replayed } from '../kernel/tape/tape.ts'
import { commandError } from './command-error.ts'
import { liesOnOverlay } from './parts/layers.ts'
import { namespaces } from './parts/namespaces.ts'
import type { Container } from './part.ts'
import { program } from './parts/process.ts'
import { root } from './parts/root.ts'
import type { ProcessSpec } from './spec.ts'
import { terminal } from './parts/terminal.ts'

/** What in the image prevents a mount, by the errno that the kernel gives for its path. */
const IN_THE_WAY: Record<string, string> = {
  ELOOP: 'the image has a symbolic link there that cannot be followed',
  ENOENT: 'the image has nothing there, or a symbolic link that leads nowhere',
  ENOTDIR: 'a directory can only be mounted on a directory, and a file on a file',
  EINVAL: 'a directory can only be mounted on a directory, a file on a file, and only inside the container',
  EROFS: 'it does not exist, and cannot be made on a read-only file system',
  ENAMETOOLONG: 'the path is too long',
}

const PLACING = ['mkdirat', 'mknodat', 'openat2', 'move_mount', 'mount']
const ABSOLUTE = /"\/[^"]*"/
const ENTERING = ['openat2', 'mkdirat', 'chdir', 'fchdir']

/**
 * Turns a refused call into an error that says what to do, if the image or the user is the reason: the program, its
 * working directory, or a place to mount on. The refusal is then its `cause`. Other refusals are returned unchanged. `on`: the directory
 * that becomes its root, if it was not the root already.
 */
export function startError(
  process: Asked,
  replayed: readonly Replayed[],
  failed: SyscallError,
  on: Pick<Container, 'rootfs' | 'layers'> = { rootfs: '/' },
): Error {
  const error = liesOnOverlay(failed) ?? mountedNoexec(failed, on) ?? inWords(process, replayed, failed)
  if (error !== failed) error.cause = failed
  return error
}

/** execve(2): "The filesystem containing the file … is mounted noexec." */
function mountedNoexec(
  { call, code }: SyscallError,
  { rootfs, layers }: Pick<Container, 'rootfs' | 'layers'>,
): MinilabError<'machine'> | undefined {
  if (call !== 'execve' || code !== 'EACCES' || layers) return undefined // an overlay is a separate mount, with its own flags
  const mount = mountOf(rootfs)
  if (!mount?.options.includes('noexec')) return undefined
  const isOurs = rootfs.startsWith(`${dataFolder()}/`)
  return new MinilabError(
    'machine',
    `${mount.target} is mounted noexec: no program in it can be executed`,
    isOurs ? useOtherFolder() : `copy ${rootfs} to another file system`,
  )
}

type Asked = Pick<ProcessSpec, 'args' | 'cwd' | 'user'>

function inWords({ args, cwd, user }: Asked, replayed: readonly Replayed[], failed: SyscallError): Error {
  const { call, code } = failed
  const part = replayed.at(-1)?.part
  if (call === 'execve') return commandError(args[0] ?? '', replayed, failed)
  // --init makes one more process than the program
  if (part === program.name && /^clone/.test(call) && code === 'EAGAIN')
    return new MinilabError(
      'usage',
      'no process can be started in the container: a limit on processes is reached',
      'run it with a higher --pids-limit; ulimit -u shows your own limit',
    )
  // a volume is mounted on a place that was opened just before
  const opened = call === 'move_mount' ? replayed.findLast(entry => entry.call === 'openat2') : undefined
  const [place = ''] = ABSOLUTE.exec(failed.args) ?? ABSOLUTE.exec(opened?.args ?? '') ?? []
  const isOnTheWay = call === 'mkdirat' || (place && quote(cwd).startsWith(place.slice(0, -1)))
  if (part === program.name && ENTERING.includes(call) && isOnTheWay)
    return new MinilabError(
      'usage',
      `the working directory ${quote(cwd)} of the container cannot be entered (${code})`,
      'choose another working directory: -w /',
    )
  // -t, with a volume at the place of the container's own devpts
  if (part === terminal.name && !failed.args.includes('/dev/console'))
    return new MinilabError(
      'usage',
      `/dev/pts/ptmx of the container does not open a terminal (${code})`,
      'leave out -t, or the volume on /dev or /dev/pts',
    )
  // user_namespaces(7): an id that is not mapped cannot be taken
  if (part !== namespaces.name && /^setres[ug]id$/.test(call) && code === 'EINVAL')
    return new MinilabError(
      'limited',
      `the container's user namespace has no user ${user.uid}:${user.gid}: without root it has only one, you as 0`,
      'leave out -u, or run it with sudo',
    )
  const inside = replayed.some(entry => entry.call === 'pivot_root' && entry.result === 0)
  if (part !== root.name || !inside || place.length < 4 || !PLACING.includes(call) || !(code in IN_THE_WAY))
    return failed
  // its mkdirat is only an attempt on the tape, because most places exist already
  const made = replayed.findLast(entry => entry.call === 'mkdirat' && entry.args.includes(place))
  if (code === 'ENOENT' && made?.errno && !['EEXIST', 'EROFS', 'ENOENT'].includes(made.errno))
    return new SyscallError(made.call, made.args, errnoNumber(made.errno))
  return new MinilabError(
    'usage',
    `nothing can be mounted on ${place} in the container (${code}): ${IN_THE_WAY[code]}`,
    'correct the image, or choose another destination (-v)',
  )
}
