import { read, readSync, write, writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { promisify } from '../../common/util.ts'
import { codeOf } from '../../common/error-code.ts'
import { F_GETPIPE_SZ, F_SETFL, O_NONBLOCK, O_RDWR } from '../../kernel/syscalls/constants.ts'
import { now } from '../../kernel/syscalls/now.ts'
import { POLLIN, POLLOUT, ready, type Wake } from '../../kernel/process/poll.ts'

const readAsync = promisify(read)
const writeAsync = promisify(write)
const CHUNK = 65536

/** One end of a stream. We may change the mode of a descriptor that is only ours; the caller's stays as it is. */
export interface End {
  fd: number
  ours: boolean
}

/** Makes a descriptor of ours non-blocking. */
export function ourEnd(fd: number): End {
  now.fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) // fcntl(2): the access mode in it is ignored
  return { fd, ours: true }
}

/** The most that a terminal holds: TTYB_DEFAULT_MEM_LIMIT (tty_buffer.c) and N_TTY_BUF_SIZE (n_tty.c). */
const TERMINAL_SIZE = 65536 + 4096 // bytes

/** How much can be read from a descriptor of ours while nothing is written to it: bytes. */
const capacity = (fd: number) => (isatty(fd) ? TERMINAL_SIZE : now.fcntl(fd, F_GETPIPE_SZ, 0))

/**
 * Copies from one end to the other, no faster than the other accepts it, until the first one ends, or `wake` is called; what is
 * readable at that moment is still copied. Throws the error of a read or a write.
 */
export async function carry(from: End, to: (bytes: Buffer) => Promise<void>, wake: Wake): Promise<void> {
  const buffer = Buffer.alloc(CHUNK)
  const isTerminal = isatty(from.fd) // one that has hung up is none any more
  let left = Infinity // bytes, set when `wake` is called: a program that keeps writing would hold us for ever
  while (left > 0) {
    const count = await readSome(from, buffer, wake).catch((error: unknown) => {
      // pty(7): once the last descriptor of the other side is closed, a read fails with EIO instead of returning end of file
      if (isTerminal && codeOf(error) === 'EIO') return 0
      throw error
    })
    if (count === 0) return
    await to(buffer.subarray(0, count))
    left -= count
    // only now: what was read before the call has made room in the pipe, which the program may have filled again
    if (wake.called && left === Infinity) left = from.ours ? capacity(from.fd) : 0
  }
}

const readWaiting = async (fd: number, buffer: Buffer) =>
  (await readAsync(fd, buffer, 0, CHUNK, null)).bytesRead

/** The number of bytes read; 0 at the end of the stream, or if `wake` was called and there is nothing more to read now. */
async function readSome(from: End, buffer: Buffer, wake: Wake): Promise<number> {
  for (;;) {
    try {
      if (from.ours) return readSync(from.fd, buffer)
      // on a worker: another process may read the data before us, and then our read blocks
      if (!wake.called && (await ready(from.fd, POLLIN, -1, wake))) return await readWaiting(from.fd, buffer)
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') throw error
    }
    if (wake.called) return 0
    await ready(from.fd, POLLIN, -1, wake)
  }
}

/** Writes all bytes, however long that takes, unless `wake` is called. */
export async function writeAll({ fd, ours }: End, bytes: Uint8Array, wake?: Wake): Promise<void> {
  for (let at = 0; at < bytes.length && !wake?.called;) {
    try {
      // ours is non-blocking; the caller's may be in either mode, so a worker may have to wait for it
      const count = ours ? writeSync(fd, bytes, at) : (await writeAsync(fd, bytes, at)).bytesWritten
      if (count === 0) throw new Error('it takes no bytes') // such as /proc/self/mem: to try again would never end
      at += count
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') throw error
      await ready(fd, POLLOUT, -1, wake)
    }
  }
}
