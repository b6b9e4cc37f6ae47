import { openSync } from 'node:fs'
import type { Experiment } from '../../lib/guide/experiment.ts'
import {
  AT_FDCWD,
  CLONE_NEWNS,
  CLONE_NEWUSER,
  MNT_DETACH,
  MS_PRIVATE,
  MS_REC,
  O_DIRECTORY,
} from '../../lib/kernel/syscalls/constants.ts'
import { Tape } from '../../lib/kernel/tape/tape.ts'
import type { Roots } from './step.ts'

const STEPS_UP = 32

/** The directory that a path leads to in a process, as device and inode. Filled when the tape has run. */
export class DirectorySeen {
  readonly #stat = new Uint8Array(144) // struct stat: st_dev at 0, st_ino at 8, on x86-64 and arm64 alike
  readonly #path: string

  constructor(path = '/') {
    this.#path = path
  }

  /** Records a look. */
  look(tape: Pick<Tape, 'newfstatat'>): void {
    tape.newfstatat(AT_FDCWD, this.#path, this.#stat, 0)
  }

  toString(): string {
    const view = new DataView(this.#stat.buffer)
    return `${view.getBigUint64(0, true)}:${view.getBigUint64(8, true)}`
  }
}

/** Enters the first jail, as chroot(8) does. */
function enter(tape: Tape, jail: string): void {
  tape.chdir(jail)
  tape.chroot('.')
}

/**
 * The classic way out of a chroot. chroot(2) does not move the working directory: after a chroot into a second jail
 * deeper inside, the working directory is outside the root. From there ".." leads all the way up, because the kernel
 * stops ".." only at the process's root, which is now below.
 */
export function breakOut(tape: Tape, second: string): void {
  tape.chroot(second)
  for (let i = 0; i < STEPS_UP; i++) tape.chdir('..')
  tape.chroot('.')
}

/** A child enters an empty jail and breaks out of it; `second` is the name of a directory in the jail. */
export async function chrootAndOut(
  experiment: Experiment<Roots>,
  { into = enter, out = breakOut, second = 'second' } = {},
): Promise<void> {
  const tape = new Tape()
  into(tape, experiment.folder('jail'))
  const inJail = new DirectorySeen()
  inJail.look(tape)
  tape.attempt.mkdirat(AT_FDCWD, second, 0o700) // outside a jail this directory may not be writable
  out(tape, second)
  const after = new DirectorySeen()
  after.look(tape)
  // chroot needs CAP_SYS_CHROOT: without root, a user namespace gives it
  await experiment.outside(
    'into a chroot, and out of it',
    tape,
    experiment.options.rootless ? CLONE_NEWUSER : 0,
  )
  experiment.scene.inJail = inJail.toString()
  experiment.scene.afterBreakOut = after.toString()
}

/** A visitor at the root of the container's process makes the same calls. It creates nothing: /dev is its second jail. */
export async function breakOutOfContainer(experiment: Experiment<Roots>): Promise<void> {
  // setns(2) would put it at the root of the mount namespace, whatever root the process has
  const root = experiment.keep(openSync(`/proc/${experiment.scene.pid}/root`, O_DIRECTORY))
  const seen = new DirectorySeen()
  const record = (tape: Tape) => {
    tape.fchdir(root)
    tape.chroot('.')
    breakOut(tape, 'dev')
    seen.look(tape)
  }
  const tape = await experiment.inside(
    'the same break-out, from inside the container',
    ['user', 'mnt'],
    record,
    {
      mayBeRefused: ['chroot', 'chdir'],
    },
  )
  experiment.scene.afterSecondBreakOut = seen.toString()
  experiment.scene.refused = tape.find(({ errno }) => errno)?.call ?? ''
}

/**
 * A mount on “/” hides the tree below it, but does not remove it. So a visitor copies the container's mounts, unmounts the
 * topmost one, and joins the copy again: setns(2) leads to the topmost mount on the root of the namespace.
 */
export async function lookUnderneath(experiment: Experiment<Roots>): Promise<void> {
  const root = experiment.keep(openSync(`/proc/${experiment.scene.pid}/root`, O_DIRECTORY))
  const seen = new DirectorySeen()
  const record = (tape: Tape) => {
    tape.unshare(CLONE_NEWNS)
    tape.mount(null, '/', null, MS_REC | MS_PRIVATE, null)
    tape.fchdir(root)
    tape.attempt.umount2('/', MNT_DETACH)
    tape.setns(tape.pidfd_open(tape.getpid(), 0), CLONE_NEWNS)
    seen.look(tape)
  }
  await experiment.inside(
    'can its root be unmounted, in a copy of its mounts? EINVAL: the mount is locked',
    ['user', 'mnt'],
    record,
    {
      mayBeRefused: ['umount2'],
    },
  )
  experiment.scene.underneath = seen.toString()
}
