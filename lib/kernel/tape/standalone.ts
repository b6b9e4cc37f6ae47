import { closing } from '../../common/descriptor.ts'
import { Child } from '../process/child.ts'
import { CLOSE_RANGE_CLOEXEC, F_SETFD, LAST_FD } from '../syscalls/constants.ts'
import { failure } from '../syscalls/failure.ts'
import { Encoded } from './encoded.ts'
import { launch } from './launch.ts'
import { TAPE_FD, TapeFile } from './tape-file.ts'
import { Tape } from './tape.ts'

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

/** The first calls of such a tape: the mapping of the tape stays when its descriptor is closed. */
export function closeTape(tape: Tape): void {
  tape.note('the tape itself, which is mapped into its memory')
  tape.close(TAPE_FD)
}
