import { codeOf } from '../../common/error-code.ts'
import { AF_UNIX, MSG_NOSIGNAL, O_CLOEXEC, SOCK_CLOEXEC, SOCK_STREAM } from '../syscalls/constants.ts'
import { int32s, now } from '../syscalls/now.ts'

/** A pipe, both ends close-on-exec: pipe2(2). The caller closes them. */
export function pipe(): { read: number; write: number } {
  const pair = new Uint8Array(8)
  now.pipe2(pair, O_CLOEXEC)
  const [read = -1, write = -1] = int32s(pair)
  return { read, write }
}

/** Two connected sockets, both close-on-exec: socketpair(2). The caller closes them. `flags`: more of the type, such as SOCK_NONBLOCK. */
export function socketPair(flags = 0): [one: number, other: number] {
  const pair = new Uint8Array(8)
  now.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0, pair)
  const [one = -1, other = -1] = int32s(pair)
  return [one, other]
}

/** Lets a process go on that reads a byte from the other end of a socket. False if that end is closed: the process has died. */
export function sendGo(fd: number): boolean {
  try {
    // not write(2): that would also send us SIGPIPE, which ends a step
    now.sendto(fd, Buffer.from('g'), 1, MSG_NOSIGNAL, null, 0)
    return true
  } catch (error) {
    if (['EPIPE', 'ECONNRESET'].includes(codeOf(error) ?? '')) return false
    throw error
  }
}
