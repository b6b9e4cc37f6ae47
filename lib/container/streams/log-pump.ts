import { openFile, closing } from '../../common/descriptor.ts'
import type { Child } from '../../kernel/process/child.ts'
import { memoryFile } from '../../kernel/process/memory-file.ts'
import { CLOCK_REALTIME, LOCK_EX, LOCK_UN, SEEK_CUR, SEEK_END } from '../../kernel/syscalls/constants.ts'
import { Label, type Later, Tape } from '../../kernel/tape/tape.ts'
import { closeTape, startStandalone } from '../../kernel/tape/standalone.ts'
import { beginLog, EARLIER, firstWord, HEADER, type StreamName } from './log.ts'

/** What a pump has as its descriptors. */
const [FROM, LOG, TOTAL] = [0, 1, 2]

/** How much it reads at once: bytes. */
const CHUNK = 32768

/**
 * A log pump: a process that reads a pipe of the container and writes to its log what comes, each time as one frame (log.ts),
 * until no process has the other end of the pipe any more. It is nothing but a tape, and goes on without us.
 *
 * When the disk is full it goes on reading: otherwise the program would wait for ever, or get SIGPIPE. What it could not write is
 * counted: the position of the open file TOTAL, which has no content, is the sum of all that it has read.
 */
export function logPump(stream: StreamName, magic = EARLIER): Tape {
  const tape = new Tape()
  const [next, ended] = [new Label('next'), new Label('ended')]
  const [bytes, time] = [new Uint8Array(CHUNK), new Uint8Array(16)]
  closeTape(tape)
  tape.mark(next)
  // no handler is installed, so it cannot fail with EINTR: signal(7). A terminal ends with EIO: pty(7)
  tape.note('what the program has written; no more comes when no process has the other end of the pipe')
  const got = tape.branch({ min: 1n, under: ended }).read(FROM, bytes, CHUNK)
  frame(got)
  tape.thenGoTo(next).flock(LOG, LOCK_UN)
  tape.mark(ended)
  frame(0)
  tape.exit_group(0)
  return tape

  /**
   * Writes a frame: a header, and the bytes that were read. The log is locked, because the other stream has a pump too. Whatever fails,
   * it goes on: a pump that ends kills the program by SIGPIPE.
   */
  function frame(length: Later | number): void {
    const first = length !== 0
    if (first) tape.note('the kernel adds: the position of an empty file is how much was read so far')
    const total = tape.attempt.lseek(TOTAL, length, SEEK_CUR)
    if (first) tape.note('the other stream has a pump too, which writes to the same log')
    tape.attempt.flock(LOG, LOCK_EX)
    const at = tape.attempt.lseek(LOG, 0, SEEK_END)
    tape.attempt.clock_gettime(CLOCK_REALTIME, time)
    tape.note(
      first
        ? 'one frame: a header, the time, the bytes; on a full disk they are lost, and it goes on'
        : 'a frame without bytes: the stream has ended',
    )
    tape.attempt.writev(
      LOG,
      [
        { base: [firstWord(magic, stream), at, total, length], length: HEADER - time.length },
        { base: time, length: time.length },
        { base: bytes, length },
      ],
      3,
    )
  }
}

/** Starts the pump of a stream. Its descriptor of the log is another open file than that of the other pump: flock(2) is about open files. */
export async function startLogPump(from: number, log: string, stream: StreamName): Promise<Child> {
  using file = openFile(log, 'a')
  using total = closing(memoryFile('minilab-total', 'data'))
  return await startStandalone(logPump(stream, beginLog(log, file.fd)), 'minilab-log', [
    from,
    file.fd,
    total.fd,
  ])
}
