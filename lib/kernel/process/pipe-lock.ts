import { closeSync, writeSync } from 'node:fs'
import { MSG_DONTWAIT, MSG_NOSIGNAL, SO_SNDTIMEO, SOL_SOCKET } from '../syscalls/constants.ts'
import { koffi } from '../syscalls/libc.ts'
import { now } from '../syscalls/now.ts'
import { pipe, socketPair } from './pipe.ts'
import { timeval } from '../syscalls/sockaddr.ts'
import { SyscallError } from '../syscalls/syscall-error.ts'

const splice = koffi
  .load(null)
  .func('long splice(int from, void *a, int to, void *b, unsigned long length, unsigned int flags)')

const BLOCK = Buffer.alloc(64 * 1024)

/**
 * Holds the kernel's lock of a pipe. While it is held, a process that opens the pipe by /proc/self/fd, or reads it, sleeps in the
 * kernel, and neither a signal nor a freezer reaches it (state D). splice(2) from a pipe to a socket keeps the lock while it waits for
 * room in the socket (fs/splice.c, splice_to_socket); nothing reads from that socket before `release`.
 */
export class PipeLock implements AsyncDisposable {
  /** the pipe, to be passed to that process */
  readonly fd: number
  readonly #write: number
  readonly #full: number
  readonly #other: number
  readonly #ended: Promise<void>
  #released = false

  /** The kernel ends it by itself after this many seconds. */
  constructor(seconds: number) {
    ;({ read: this.fd, write: this.#write } = pipe())
    ;[this.#full, this.#other] = socketPair()
    const limit = timeval(seconds)
    now.setsockopt(this.#full, SOL_SOCKET, SO_SNDTIMEO, limit, limit.length)
    untilRefused(() => now.sendto(this.#full, BLOCK, BLOCK.length, MSG_DONTWAIT | MSG_NOSIGNAL, null, 0))
    writeSync(this.#write, '.')
    this.#ended = new Promise((resolve, reject) =>
      splice.async(this.fd, null, this.#full, null, 1, 0, (error: Error | null) =>
        error ? reject(error) : resolve(),
      ),
    )
  }

  /** Makes room in the socket: splice returns, and releases the lock. */
  release(): void {
    if (this.#released) return
    this.#released = true
    untilRefused(() => now.recvfrom(this.#other, BLOCK, BLOCK.length, MSG_DONTWAIT, null, null))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release()
    await this.#ended
    for (const fd of [this.fd, this.#write, this.#full, this.#other]) closeSync(fd)
  }
}

/** Repeats a call until it would block: EAGAIN. */
function untilRefused(call: () => number): void {
  try {
    while (call() > 0);
  } catch (error) {
    if (!(error instanceof SyscallError && error.code === 'EAGAIN')) throw error
  }
}
