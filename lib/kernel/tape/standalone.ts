import { readSync } from 'node:fs'
import { closing } from '../../common/descriptor.ts'
import { Child } from '../process/child.ts'
import { hardLimit, limitWord, RLIM_INFINITY } from '../process/rlimits.ts'
import { CLOSE_RANGE_CLOEXEC, F_SETFD, LAST_FD, RLIMIT_CPU, RLIMIT_FSIZE } from '../syscalls/constants.ts'
import { diagnose } from '../syscalls/diagnose.ts'
import { failure } from '../syscalls/failure.ts'
import { SyscallError } from '../syscalls/syscall-error.ts'
import { printArgs } from '../syscalls/syscalls.ts'
import { Encoded, NOT_RUN } from './encoded.ts'
import { launch } from './launch.ts'
import { OP } from './launchpad.ts'
import { BASE, TAPE_FD, TapeFile } from './tape-file.ts'
import { type Op, Tape } from './tape.ts'

/**
 * Starts a process that is nothing but a tape: it replays the tape, with its branches, and needs no process of ours. It starts a
 * session, so that no key and no signal to our group reaches it. `descriptors`: what it has as 0, 1, 2 …; it has no others. `flags`:
 * clone3's, for new namespaces.
 * Resolves when it replays; throws a SyscallError if it cannot be started.
 */
export async function startStandalone(
  tape: Tape,
  name: string,
  descriptors: readonly number[],
  flags = 0,
): Promise<Child> {
  const file = standaloneFile(tape)
  using _ = closing(file.fd)
  const start = new Tape()
  start.setsid()
  liftLimits(start)
  start.chdir('/') // so that our working directory's file system can be unmounted, however long it runs
  descriptors.forEach((fd, target) => {
    if (fd === target) start.fcntl(fd, F_SETFD, 0)
    else start.dup3(fd, target, 0)
  })
  start.close_range(descriptors.length, LAST_FD, CLOSE_RANGE_CLOEXEC)
  file.execute(start, name)
  const launched = launch(start, flags)
  const failed = failure(start, await launched.replayed)
  const child = new Child(launched.pid(), launched.pidfd())
  if (!failed) return child
  await child.exit
  throw failed
}

/**
 * Such a process outlives the command that starts it, and the caller's limits would end it, or keep it from writing. Up to the hard limit
 * every process may raise them; with CAP_SYS_RESOURCE there need be none: setrlimit(2).
 */
function liftLimits(tape: Tape): void {
  for (const resource of [RLIMIT_CPU, RLIMIT_FSIZE])
    for (const limit of [limitWord(hardLimit(resource)), RLIM_INFINITY])
      tape.allow('EPERM').prlimit64(0, resource, { cur: limit, max: limit }, null)
}

/** The file of such a tape: in memory, or the given one. The caller closes its descriptor. */
export function standaloneFile(tape: Tape, fd?: number): TapeFile {
  const file = new TapeFile(fd)
  try {
    file.fill(new Encoded(tape.ops, file.arena).bounds)
    return file
  } finally {
    file.release()
  }
}

/** What a call of such a tape has returned so far, read from its file. */
export function resultIn(fd: number, op: number): bigint {
  const word = Buffer.alloc(8)
  const read = (at: number) => (readSync(fd, word, 0, 8, at), word)
  const first = Number(read(0).readBigUInt64LE() - BASE)
  return read(first + op * OP.size + OP.result).readBigInt64LE()
}

/** The call of such a tape that the kernel refused, read from its file; undefined if there is none. */
export function refusedIn(fd: number, ops: readonly Op[]): SyscallError | undefined {
  for (const [i, { call, args, min, allowed, under, about, at }] of ops.entries()) {
    const result = resultIn(fd, i)
    if (result === NOT_RUN) return undefined
    if (result >= 0n || result >= min || under || allowed?.includes(result)) continue
    const number = Number(-result)
    const place = { number: i + 1, of: ops.length, at, about }
    return new SyscallError(call, printArgs(call, args), number, place, diagnose(call, args, number))
  }
  return undefined
}

/** The first calls of such a tape: the mapping of the tape stays when its descriptor is closed. */
export function closeTape(tape: Tape): void {
  tape.note('the tape itself, which is mapped into its memory')
  tape.close(TAPE_FD)
}
