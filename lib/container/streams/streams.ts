import { closeSync, fstatSync, readSync } from 'node:fs'
import { isatty } from 'node:tty'
import { certain } from '../../common/certain.ts'
import { codeOf } from '../../common/error-code.ts'
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  F_GETFL,
  F_SETFL,
  KCMP_FILE,
  OPEN_HOW_SIZE,
  O_CLOEXEC,
  O_NOCTTY,
  O_NONBLOCK,
  O_RDWR,
  O_WRONLY,
  RESOLVE_NO_MAGICLINKS,
} from '../../kernel/syscalls/constants.ts'
import { MinilabError } from '../../common/errors.ts'
import { now } from '../../kernel/syscalls/now.ts'
import { pipe } from '../../kernel/process/pipe.ts'
import { Wake } from '../../kernel/process/poll.ts'
import { SyscallError } from '../../kernel/syscalls/syscall-error.ts'
import type { Tape } from '../../kernel/tape/tape.ts'
import { carry, ourEnd, writeAll } from './carry.ts'
import type { StreamName } from './log.ts'
import type { Part } from '../part.ts'

/** What becomes the program's 0, 1 or 2: one of our descriptors, or the container's /dev/null. */
export type Stream = number | 'null'
export type Stdio = [Stream, Stream, Stream]

/** The processes that write a log. */
export type Pumps = Record<StreamName, { pid: number; started: number }>

export interface StreamsOptions {
  interactive: boolean
  /** the log that 1 and 2 are written to, by log pumps */
  log?: string
  /** called when the program has written to 1 or 2, and there is no reader */
  unread?: () => void
  /** our descriptors that they are connected with: our own three unless given */
  from?: [number, number, number]
}

const DEV_NULL = (1 << 8) | 3 // its device number, 1:3

/**
 * Connects the program's stdin, stdout and stderr with ours through our own pipes; it never gets the caller's descriptors.
 * A program can reopen its descriptors through /proc/self/fd with other access rights. So it could
 * write to its stdin what a shell of the host reads next, read from its stdout what a neighbour in the pipeline writes, change
 * the blocking mode for all processes that share the pipe, and change mode and owner of a file.
 */
export class Streams {
  readonly stdio: Stdio
  readonly #wake = new Wake()
  /** the ends that only the program needs, and the ends that only we need until it runs */
  readonly #theirs: number[] = []
  #ours: number[] = []
  readonly #input: { from: number; to: number } | undefined
  readonly #outputs: { from: number; to: number; name: StreamName }[] = []
  readonly #log: string | undefined
  readonly #unread: (() => void) | undefined
  #held: number | undefined
  #feeding: Promise<void> | undefined
  #draining: Promise<void>[] = []
  #failed: MinilabError<'machine'> | undefined

  constructor({ interactive, log, unread, from = [0, 1, 2] }: StreamsOptions) {
    const [input, output, errors] = from
    this.#log = log
    this.#unread = unread
    const hasInput = interactive && (log !== undefined || !isNull(input, 'stdin'))
    const to = hasInput ? this.#pipe('write') : -1
    // in the background nothing is written to it, but it stays open until the container has ended, like docker run -d -i
    if (hasInput && log !== undefined) this.#held = to
    else if (hasInput) this.#input = { from: input, to }
    const stdin = hasInput ? certain(this.#theirs.at(-1)) : 'null'
    const stdout = this.#output(output, 'stdout')
    // one open file stays one: output written to both keeps its order
    const isOne = log === undefined && typeof stdout === 'number' && isSameFile(output, errors)
    this.stdio = [stdin, stdout, isOne ? stdout : this.#output(errors, 'stderr')]
  }

  /** The program runs, so it has its ends. */
  start(): void {
    for (const fd of this.#theirs.splice(0)) closeSync(fd)
    this.#ours = this.#ours.filter(fd => fd === this.#held) // the code that uses an end closes it
    if (this.#input) this.#feeding = this.#feed(this.#input.from, this.#input.to)
    this.#draining = this.#outputs.map(({ from, to, name }) => this.#drain(from, to, name))
  }

  /** The program has ended: flushes what it has written. Throws a MinilabError (machine) if that was refused. */
  async finish(): Promise<void> {
    this.#wake.call()
    await Promise.all(this.#draining)
    if (this.#failed) throw this.#failed
  }

  /** Must be called in any case. */
  close(): void {
    this.#wake.call()
    for (const fd of [...this.#theirs.splice(0), ...this.#ours.splice(0)]) closeSync(fd)
    void Promise.all([this.#feeding, ...this.#draining]).then(() => this.#wake[Symbol.dispose]())
  }

  #output(fd: number, name: StreamName): Stream {
    if (this.#log === undefined && isNull(fd, name)) return 'null'
    this.#outputs.push({ from: this.#pipe('read'), to: fd, name })
    return certain(this.#theirs.at(-1))
  }

  /** Makes a pipe with one end for the program; returns the other end. */
  #pipe(ours: 'read' | 'write'): number {
    const { read, write } = pipe()
    const [our, their] = ours === 'read' ? [read, write] : [write, read]
    this.#theirs.push(their)
    this.#ours.push(our)
    return our
  }

  async #feed(from: number, to: number): Promise<void> {
    try {
      // of a pipe's end for writing poll(2) never reports anything: read(2) says EBADF
      if ((now.fcntl(from, F_GETFL, 0) & (O_WRONLY | O_RDWR)) === O_WRONLY) readSync(from, Buffer.alloc(1))
      const place = ourEnd(to)
      await carry({ fd: from, ours: false }, bytes => writeAll(place, bytes, this.#wake), this.#wake)
    } catch (error) {
      // EPIPE: the program reads no more. EBADF: ours is not for reading; as with docker, the program's is like a closed one
      if (!['EPIPE', 'EBADF'].includes(codeOf(error) ?? '')) this.#failed ??= refused('read stdin', error)
    } finally {
      closeSync(to)
    }
  }

  /** Starts the log pumps before the program runs; they go on without us. */
  async startPumps(log: string): Promise<Pumps> {
    const { startLogPump } = await import('./log-pump.ts')
    const pumps: Partial<Pumps> = {}
    for (const { from, name } of this.#outputs) {
      const { pid, started } = await startLogPump(from, log, name)
      pumps[name] = { pid, started }
    }
    return pumps as Pumps
  }

  /** The end of the program's stdin that stays open as long as the container. */
  get held(): number | undefined {
    return this.#held
  }

  async #drain(from: number, to: number, stream: StreamName): Promise<void> {
    const isTerminal = isatty(to)
    try {
      await carry(ourEnd(from), bytes => writeAll({ fd: to, ours: false }, bytes), this.#wake)
    } catch (error) {
      // there is no reader any more, or our terminal has gone: not an error of ours, and the program notices it by its own pipe
      const code = codeOf(error) ?? ''
      if (['EPIPE', 'ECONNRESET'].includes(code)) this.#unread?.()
      else if (code !== 'EIO' || !isTerminal) this.#failed ??= refused(`write to ${stream}`, error)
    } finally {
      closeSync(from) // a program that goes on writing gets EPIPE, SIGPIPE
    }
  }
}

/** An error of our own input or output, which does not end the program. */
export function refused(doing: string, error: unknown): MinilabError<'machine'> {
  const why = error instanceof Error ? error.message : String(error)
  return new MinilabError(
    'machine',
    `cannot ${doing}: ${why}`,
    'all further input or output of the program is lost',
  )
}

/** Whether one of our descriptors is the host's /dev/null: a container has its own. */
function isNull(fd: number, name: string): boolean {
  const stat = fstatSync(fd)
  if (stat.isDirectory()) throw new MinilabError('usage', `${name} is a directory`, 'give a file')
  return stat.isCharacterDevice() && stat.rdev === DEV_NULL
}

/** Whether two descriptors are the same open file, with one position: kcmp(2). */
function isSameFile(one: number, other: number): boolean {
  try {
    return now.kcmp(process.pid, process.pid, KCMP_FILE, one, other) === 0
  } catch (error) {
    if (error instanceof SyscallError && ['ENOSYS', 'EPERM'].includes(error.code)) return false // a kernel without it, or a filter that forbids it
    throw error
  }
}

/** The part that installs the program's three descriptors, once the container has its /dev. */
export const streams: Part = {
  name: 'process',
  inside(tape, { spec: { process }, stdio = [0, 1, 2], terminal }) {
    if (terminal) return
    openNull(tape, stdio)
    // the container's /dev/null stays root's
    own(
      tape,
      process.user.uid,
      [0, 1, 2].filter(fd => stdio[fd] !== 'null'),
    )
  },
}

/**
 * Replaces the host's /dev/null, whose mode a program could change, by the container's. At that path there may be
 * anything, such as a named pipe, so opening it must not block.
 */
export function openNull(tape: Tape, stdio: Stdio): void {
  const targets = [0, 1, 2].filter(target => stdio[target] === 'null')
  if (targets.length === 0) return
  const flags = O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
  const how = { flags, resolve: RESOLVE_NO_MAGICLINKS }
  const opened = tape.openat2(AT_FDCWD, '/dev/null', how, OPEN_HOW_SIZE)
  tape.fcntl(opened, F_SETFL, O_RDWR)
  for (const target of targets) tape.dup3(opened, target, 0)
}

/**
 * /dev/stdout opens the pipe again, which only its owner may do: so the user becomes its owner (runc:
 * fixStdioPermissions). EINVAL: the user is not in the map of the user namespace. EPERM: the pipe's owner is not.
 */
export function own(tape: Tape, uid: number, descriptors: readonly number[] = [0, 1, 2]): void {
  const allowing = tape.allow('EINVAL', 'EPERM')
  for (const fd of descriptors) allowing.fchownat(fd, '', uid, -1, AT_EMPTY_PATH)
}
