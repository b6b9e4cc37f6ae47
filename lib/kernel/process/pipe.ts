import { AF_UNIX, O_CLOEXEC, SOCK_CLOEXEC, SOCK_STREAM } from '../syscalls/constants.ts'
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
