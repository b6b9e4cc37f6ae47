// Runs step 2 with some of it left out, and prints its report. A namespace that is left out is ours: the step then acts on
// where this runs, so that must be a place to be spoiled.
//   unshare -muin node changed-step-2.ts '{"without": ["uts"], "rootless": false}'
import { step } from '../../chapters/2-namespaces/step.ts'
import { namespaces } from '../../lib/container/namespaces.ts'
import type { NamespaceType } from '../../lib/container/spec.ts'
import { Presenter } from '../../lib/guide/present.ts'
import { runStep } from '../../lib/guide/run-step.ts'
import type { Step } from '../../lib/guide/step.ts'

export interface Change {
  /** the kinds of namespaces that are not asked for */
  without?: NamespaceType[]
  /** no offsets of the clocks are asked for */
  offsets?: false
  /** the calls of the namespaces part that are not made */
  calls?: string[]
  rootless: boolean
}

const change = JSON.parse(process.argv[2] ?? '') as Change
const { without = [] } = change
const changed: Step<ReturnType<typeof step.scene>> = {
  ...step,
  spec(spec, lab) {
    step.spec?.(spec, lab)
    spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => !without.includes(type))
    if (without.includes('time') || change.offsets === false) delete spec.linux.timeOffsets
  },
  parts: step.parts.map(part =>
    part !== namespaces
      ? part
      : {
          ...part,
          inside(tape, container, gate) {
            const before = tape.ops.length
            part.inside?.(tape, container, gate)
            tape.ops.push(...tape.ops.splice(before).filter(({ call }) => !change.calls?.includes(call)))
          },
        },
  ),
}
const report = await runStep(changed, {
  rootless: change.rootless,
  runtime: 'minilab',
  keep: false,
  ask: false,
  command: [],
  presenter: new Presenter({ quiet: true }),
})
console.log(JSON.stringify(report))
