import { randomBytes } from 'node:crypto'
import { chrootAndOut, DirectorySeen } from '../../chapters/3-root/break-out.ts'
import { checks } from '../../chapters/3-root/checks.ts'
import { rootOf } from '../../chapters/3-root/root-checks.ts'
import type { Roots } from '../../chapters/3-root/step.ts'
import { CLONE_NEWUSER } from '../../lib/kernel/syscalls/constants.ts'
import { Tape } from '../../lib/kernel/tape/tape.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Experiment } from '../../lib/guide/experiment.ts'
import type { Check, Stage } from '../../lib/guide/step.ts'
import { stayed } from '../1-cli/leaks.ts'

type Go = (tape: Tape, directory: string) => void

/** A child enters a jail and does nothing else, so that mistakes of the break-out are not blamed on this. */
export function jailStage(enterJail: Go): Stage<Roots> {
  let jail = ''
  const [root, standing] = [new DirectorySeen(), new DirectorySeen('.')]
  return {
    title: 'Into a jail',
    async act(experiment) {
      const path = experiment.folder('only-a-jail')
      jail = rootOf(path)
      const tape = new Tape()
      enterJail(tape, path)
      root.look(tape)
      standing.look(tape)
      await experiment.outside('into a jail', tape, experiment.options.rootless ? CLONE_NEWUSER : 0)
    },
    checks: [
      {
        id: 'in-jail',
        claim: 'its `/` is the jail, and so is its working directory',
        look: ({ host }) => {
          const [is, stands] = [String(root), String(standing)]
          return finding(
            is === jail && stands === jail,
            [seen('newfstatat("/")', host, is), seen('newfstatat(".")', null, stands)],
            is === host
              ? "Its “/” is the host's: chdir moves only the working directory, and chroot was never called."
              : is !== jail
                ? "Its “/” is neither the host's nor the jail: chroot was called with another directory."
                : "Its “/” is the jail, but its working directory is still outside: chroot does not move the process. From there “..” leads on through the host's tree.",
          )
        },
      },
      stayed(),
    ],
  }
}

/** In and out again, with a look at where the process ends up. */
export function outAgain(
  enterJail: Go,
  breakOut: Go,
): { act(experiment: Experiment<Roots>): Promise<void>; check: Check<Roots> } {
  const name = `second-${randomBytes(3).toString('hex')}` // a fixed name could be used without the argument
  const second = new DirectorySeen(name)
  const standing = new DirectorySeen('.')
  return {
    act: experiment =>
      chrootAndOut(experiment, {
        into: enterJail,
        second: name,
        out(tape) {
          second.look(tape.attempt)
          breakOut(tape, name)
          standing.look(tape)
        },
      }),
    check: {
      ...checks.escape,
      look(scene) {
        const found = checks.escape.look(scene)
        return found.ok === false
          ? { ...found, diagnosis: whyInside(scene, String(second), String(standing)) }
          : found
      },
    },
  }
}

/** Why it has not come out: from where “/” is in the end, and where the process stands. */
function whyInside({ host, inJail, afterBreakOut: root }: Roots, second: string, standing: string): string {
  if (root === inJail && standing === host)
    return 'It stands outside, but its “/” is still the jail: the last chroot is missing.'
  if (root === inJail)
    return 'Its “/” is still the jail: no chroot has moved its root below its working directory, so “..” stops at the jail.'
  if (root === second && standing === host)
    return "It stands at the top of the host's tree, but its “/” is still `second`: the last chroot, to where it stands, is missing."
  if (root === second && standing === second)
    return 'It ended in a jail: the working directory was moved into the second jail, so “..” stopped there.'
  if (root === second)
    return 'Its “/” is `second`, and it stands above that, but not at the top: more steps up are missing, and the last chroot.'
  return 'It came out of the jail, but not to the top: its “/” is a directory in between. Each “..” is one step, and at the top it stays.'
}
