import { basename, dirname } from 'node:path'
import { closing, type Descriptor } from '../common/descriptor.ts'
import {
  AF_UNIX,
  AT_FDCWD,
  MSG_NOSIGNAL,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../kernel/syscalls/constants.ts'
import { now } from '../kernel/syscalls/now.ts'

const SCM_RIGHTS = 1
const LONGEST = 107 // bytes of a path in a sockaddr_un: unix(7)

/** Connects to a socket on which an engine waits for a descriptor. */
export function connectTo(path: string): Descriptor {
  const socket = closing(now.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))
  try {
    using folder = closing(now.openat(AT_FDCWD, dirname(path), O_PATH | O_DIRECTORY | O_CLOEXEC, 0))
    const short = Buffer.byteLength(path) <= LONGEST ? path : `/proc/self/fd/${folder.fd}/${basename(path)}`
    const address = Buffer.concat([new Uint8Array(Uint16Array.of(AF_UNIX).buffer), Buffer.from(`${short}\0`)])
    now.connect(socket.fd, address, address.length)
    return socket
  } catch (error) {
    socket[Symbol.dispose]()
    throw error
  }
}

/** Sends a descriptor with a text, which is not empty: the receiver would take that for the end. */
export function sendDescriptor(socket: Descriptor, text: string, fd: number): void {
  now.sendmsg(socket.fd, message(Buffer.from(text), fd), MSG_NOSIGNAL)
}

/**
 * Sends a pidfd of a process (--pidfd-socket, of runc 1.2 and later), with the name that runc has for such a process: `standard` for a
 * container's first one, `setns` for one that joins a container.
 */
export function sendPidfd(socket: Descriptor, name: 'standard' | 'setns', pid: number): void {
  using pidfd = closing(now.pidfd_open(pid, 0))
  sendDescriptor(socket, name, pidfd.fd)
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
