import type { Ran } from '../../chapters/7-run/commands.ts'
import type { Spec } from '../../lib/container/spec.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check } from '../../lib/guide/step.ts'

/** A call that needs no capability, and that only this lab's filter refuses: `ln -s`. */
const CALLS = ['symlink', 'symlinkat']
const COMMAND = 'ln -s nowhere /tmp/link'

/** The profile refuses one more call than the usual profile, so that a filter made from another list is noticed. */
export function refuseLinks({ linux: { seccomp } }: Spec): void {
  if (!seccomp) return
  seccomp.syscalls = (seccomp.syscalls ?? []).map(rule => ({
    ...rule,
    names: rule.names.filter(name => !CALLS.includes(name)),
  }))
}

export const byProfile: Check<Ran> = {
  id: 'by-profile',
  claim: "the filter refuses what this container's profile does not allow, such as `symlink`",
  async look({ shell }) {
    const { output, status } = await shell.run(COMMAND)
    return finding(
      status !== 0,
      seen(COMMAND, null, status === 0 ? 'done' : (output.split(': ').at(-1) ?? '')),
      'The profile in `spec.linux.seccomp` does not allow symlink, but it was not refused. Likeliest: no filter is installed, or a filter made from another list than the profile.',
    )
  },
}
