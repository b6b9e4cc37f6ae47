import { openSync } from 'node:fs'
import { DirectorySeen } from '../../chapters/3-root/break-out.ts'
import type { Roots } from '../../chapters/3-root/step.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Stage } from '../../lib/guide/step.ts'
import { CLONE_NEWNS, MNT_DETACH, MS_PRIVATE, MS_REC, O_DIRECTORY } from '../../lib/kernel/constants.ts'

/**
 * A mount that lies on “/” hides the tree below it, and does not take it away. So a visitor makes a copy of the container's mounts,
 * unmounts what is on top there, and enters the copy again: setns(2) leads to the topmost mount on the root of the namespace.
 */
export function underneathStage(): Stage<Roots> {
  const uncovered = new DirectorySeen()
  return {
    title: 'What lies under its root',
    async act(lab) {
      const root = lab.keep(openSync(`/proc/${lab.scene.pid}/root`, O_DIRECTORY))
      const mayBeRefused = ['umount2']
      await lab.inside(
        'what is on top is unmounted, in a copy of its mounts',
        ['user', 'mnt'],
        tape => {
          tape.unshare(CLONE_NEWNS)
          tape.mount(null, '/', null, MS_REC | MS_PRIVATE, null)
          tape.fchdir(root)
          tape.attempt.umount2('/', MNT_DETACH)
          tape.setns(tape.pidfd_open(tape.getpid(), 0), CLONE_NEWNS)
          uncovered.look(tape)
        },
        { mayBeRefused, quiet: true },
      )
    },
    checks: [
      {
        id: 'nothing-underneath',
        claim: 'with its root unmounted, the host’s does not come to light',
        look: ({ host }) =>
          finding(
            String(uncovered) !== host,
            seen('newfstatat("/") after umount2("/")', host, String(uncovered)),
            'The host’s tree lies under its root: a mount on “/” (MS_MOVE) only covers it. pivot_root exchanges the root mount, and umount2 takes the old one away.',
          ),
      },
    ],
  }
}
