import { closing } from '../common/descriptor.ts'
import { MinilabError } from '../common/errors.ts'
import {
  AF_UNIX,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  AT_FDCWD,
  SOL_SOCKET,
  MSG_NOSIGNAL,
} from '../kernel/syscalls/constants.ts'
import { now } from '../kernel/syscalls/now.ts'
import { basename, dirname } from 'node:path'

const SCM_RIGHTS = 1
const LONGEST = 107 // bytes of a path in a sockaddr_un: unix(7)

/** Sends the master of a terminal to a socket of the engine: one descriptor, and a name that is not empty, as runc does. */
export function sendTerminal(path: string, master: number): void {
  using socket = closing(now.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))
  using folder = closing(now.openat(AT_FDCWD, dirname(path), O_PATH | O_DIRECTORY | O_CLOEXEC, 0))
  const short = Buffer.byteLength(path) <= LONGEST ? path : `/proc/self/fd/${folder.fd}/${basename(path)}`
  const address = Buffer.concat([new Uint8Array(Uint16Array.of(AF_UNIX).buffer), Buffer.from(`${short}\0`)])
  now.connect(socket.fd, address, address.length)
  now.sendmsg(socket.fd, message(Buffer.from('/dev/pts/ptmx'), master), MSG_NOSIGNAL)
}

/** struct msghdr: no address, one piece of data, one control message: cmsg(3). */
function message(data: Buffer, fd: number) {
  const control = Buffer.alloc(24) // a header of 16 bytes, and a descriptor, aligned
  control.writeBigUInt64LE(20n)
  control.writeInt32LE(SOL_SOCKET, 8)
  control.writeInt32LE(SCM_RIGHTS, 12)
  control.writeInt32LE(fd, 16)
  const words = (...list: number[]) => new Uint8Array(BigUint64Array.from(list, BigInt).buffer)
  return [
    words(0, 0),
    { at: [{ at: data }, words(data.length)] },
    words(1),
    { at: control },
    words(control.length, 0),
  ]
}

/** Throws unless there is a socket for a terminal exactly if one is wanted. */
export function checkConsole(terminal: boolean, socket: string | undefined): void {
  if (terminal && !socket)
    throw new MinilabError(
      'usage',
      'cannot allocate tty if runc will detach without setting console socket',
      'give --console-socket',
    )
  if (!terminal && socket)
    throw new MinilabError(
      'usage',
      'cannot use console socket if runc will not detach or allocate tty',
      'leave out --console-socket',
    )
}
