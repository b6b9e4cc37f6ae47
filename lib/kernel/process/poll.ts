import { closeSync } from 'node:fs'
import { errnoName } from '../../common/errno.ts'
import { koffi } from '../syscalls/libc.ts'
import { pipe } from './pipe.ts'
import { SyscallError } from '../syscalls/syscall-error.ts'

const poll = koffi.load(null).func('int poll(void *fds, unsigned long count, int timeout)')
export const POLLIN = 1
export const POLLOUT = 4

/**
 * Waits on one of libuv's workers until a descriptor is ready for `events`, has an error or is closed at its other end:
 * poll(2). True then; false after `milliseconds`, or once `wake` was called. The descriptor's blocking mode stays as it is.
 */
export async function ready(fd: number, events: number, milliseconds = -1, wake?: Wake): Promise<boolean> {
  for (;;) {
    const fds = new Int32Array(wake ? [fd, events, wake.fd, POLLIN] : [fd, events])
    const errno = await new Promise<number>((resolve, reject) =>
      poll.async(fds, fds.length / 2, milliseconds, (error: Error | null, count: number) =>
        error ? reject(error) : resolve(count < 0 ? koffi.errno() : 0),
      ),
    )
    // struct pollfd: the upper half of its second word has what was found
    if (errno === 0) return Number(fds[1]) >> 16 !== 0
    if (errnoName(errno) !== 'EINTR') throw new SyscallError('poll', `[{fd=${fd}}]`, errno)
  }
}

/** What ends waiting with `ready`, now and from then on: a pipe of which the writing end is closed. */
export class Wake implements Disposable {
  readonly fd: number
  #end: number | undefined

  constructor() {
    const { read, write } = pipe()
    this.fd = read
    this.#end = write
  }

  call(): void {
    if (this.#end !== undefined) closeSync(this.#end)
    this.#end = undefined
  }

  get called(): boolean {
    return this.#end === undefined
  }

  /** To be called when nobody waits any more. */
  [Symbol.dispose](): void {
    this.call()
    closeSync(this.fd)
  }
}
