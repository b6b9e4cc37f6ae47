import type { Ran } from '../../chapters/7-run/commands.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import { recordStep } from '../../lib/guide/leave-out.ts'
import type { Check, Stage, Step } from '../../lib/guide/step.ts'
import { defaultCapabilities } from '../../lib/kernel/process/capabilities.ts'
import type { Replayed } from '../../lib/kernel/tape/tape.ts'
import { explained } from '../6-network/explained.ts'
import { byProfile } from './filter.ts'
import { explainRefused, type Latest } from './refused.ts'
import { maskOf, whyBounding } from './why-not.ts'

/** The refused calls that a check is about: a refused attempt does not end the child. */
const REFUSED: Record<string, RegExp> = {
  capabilities: /^capset/,
  'bounding-set': /^prctl\(PR_CAPBSET_DROP.* EPERM/,
  'no-new-privileges': /^prctl\(PR_SET_NO_NEW_PRIVS/,
  seccomp: /^seccomp/,
}

/** The stage of the step's own container, with one more question of the lab: which parts it never reached. */
export function firstStage(stage: Stage<Ran>, step: Step<Ran>, latest: Latest): Stage<Ran> {
  let tape: readonly Replayed[] = []
  let unreached: string[] = []
  const allReached: Check<Ran> = {
    id: 'all-reached',
    claim: "the child reached the calls of every part: the program's `execve` is the last",
    look: () =>
      finding(
        unreached.length === 0,
        seen(
          'the tape, as it was played',
          null,
          `ends with ${tape.at(-1)?.call}, before ${unreached.join(' ') || 'nothing'}`,
        ),
        `execve replaces the child's program and does not return, so ${unreached.join(', ')} had no effect. Likeliest: the program is not last in \`parts\`.`,
      ),
  }
  const why = (id: string, pid: number) => {
    const refused = tape
      .filter(({ part, errno }) => part === 'hardening' && errno)
      .map(({ call, args, errno }) => `${call}(${args}) = ${errno}`)
      .find(call => REFUSED[id]?.test(call))
    if (refused) return `${refused}: it was refused, and a refused attempt does not end the child.`
    return id === 'bounding-set' ? whyBounding(maskOf(pid, 'CapBnd'), defaultCapabilities) : undefined
  }
  return {
    ...stage,
    async act(experiment) {
      try {
        await stage.act?.(experiment)
      } catch (error) {
        throw explainRefused(error, latest)
      }
      const { ops } = await recordStep(step, experiment.options)
      tape = experiment.tape
      const left = ops.slice(tape.length).map(({ part }) => part)
      unreached = [...new Set(left)].filter(part => part !== 'process')
    },
    checks: [
      allReached,
      ...(stage.checks ?? []).map(check => explained(check, ({ pid }) => why(check.id, pid))),
      byProfile,
    ],
  }
}
