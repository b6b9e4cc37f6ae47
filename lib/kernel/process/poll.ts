import { closeSync } from 'node:fs'
import { errnoName } from '../../common/errno.ts'
import { koffi } from '../syscalls/libc.ts'
import { pipe } from './pipe.ts'
import { SyscallError } from '../syscalls/syscall-error.ts'

const poll = koffi.load(null).func('int poll(void *fds, unsigned long count, int timeout)')
export const POLLIN = 1
export const POLLPRI = 2
export const POLLOUT = 4

/**
 * Waits on a libuv worker until a descriptor is ready for `events`, has an error, or is closed at its other end:
 * poll(2). Then true; false after `milliseconds`, or once `wake` was called. Does not change the descriptor's blocking mode.
 */
export async function ready(fd: number, events: number, milliseconds = -1, wake?: Wake): Promise<boolean> {
  const wanted: Wanted[] = wake
    ? [
        [fd, events],
        [wake.fd, POLLIN],
      ]
    : [[fd, events]]
  return (await readyOf(wanted, milliseconds))[0] ?? false
}

/** Blocks this thread until a descriptor is ready, for `milliseconds` at most, or until a signal: for short waits in which nothing else may happen. */
export function block(fd: number, events: number, milliseconds: number): void {
  poll(Int32Array.of(fd, events), 1, milliseconds)
}

type Wanted = [fd: number, events: number]

/** The same for several descriptors, until at least one is ready; says of each whether it is. */
export async function readyOf(wanted: readonly Wanted[], milliseconds = -1): Promise<boolean[]> {
  for (;;) {
    const fds = new Int32Array(wanted.flat())
    const errno = await new Promise<number>((resolve, reject) =>
      poll.async(fds, fds.length / 2, milliseconds, (error: Error | null, count: number) =>
        error ? reject(error) : resolve(count < 0 ? koffi.errno() : 0),
      ),
    )
    // struct pollfd: the upper half of its second word receives the result
    if (errno === 0) return wanted.map((_, i) => Number(fds[2 * i + 1]) >> 16 !== 0)
    if (errnoName(errno) !== 'EINTR')
      throw new SyscallError('poll', wanted.map(([fd]) => `{fd=${fd}}`).join(', '), errno)
  }
}

/** Ends a wait in `ready`, now and from then on: a pipe whose writing end gets closed. */
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

  /** Call it when no wait uses it any more. */
  [Symbol.dispose](): void {
    this.call()
    closeSync(this.fd)
  }
}
