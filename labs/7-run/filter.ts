import type { Ran } from '../../chapters/7-run/commands.ts'
import type { Spec } from '../../lib/container/spec.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check } from '../../lib/guide/step.ts'

/** What needs no capability, and what only the filter of this lab refuses: `ln -s`. */
const CALLS = ['symlink', 'symlinkat']
const COMMAND = 'ln -s nowhere /tmp/link'

/** The profile refuses one call more than the usual one, so that a filter made of another list can be told from it. */
export function refuseLinks({ linux: { seccomp } }: Spec): void {
  if (!seccomp) return
  seccomp.syscalls = (seccomp.syscalls ?? []).map(rule => ({
    ...rule,
    names: rule.names.filter(name => !CALLS.includes(name)),
  }))
}

export const byProfile: Check<Ran> = {
  id: 'by-profile',
  claim: 'the filter refuses what the profile of this container does not allow: `symlink`, for one',
  async look({ shell }) {
    const { output, status } = await shell.run(COMMAND)
    return finding(
      status !== 0,
      seen(COMMAND, null, status === 0 ? 'done' : (output.split(': ').at(-1) ?? '')),
      'The profile in `spec.linux.seccomp` does not allow symlink, and it was not refused. Likeliest: no filter is installed, or one that is made of another list than the profile.',
    )
  },
}
