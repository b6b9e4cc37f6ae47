import { randomInt } from 'node:crypto'
import { certain } from '../../lib/common/certain.ts'
import type { Started } from '../../chapters/1-cli/step.ts'
import { changeSpec } from '../../lib/guide/mutant.ts'
import type { Step } from '../../lib/guide/step.ts'

/** Directories that every machine has. */
const DIRECTORIES = ['/usr', '/etc', '/var', '/dev']

/** The step with other values than the start file names, so that only the specification has them. */
export function withOtherInputs(step: Step<Started>): Step<Started> {
  const { args, env } = step.scene()
  const others = DIRECTORIES.filter(path => path !== process.cwd())
  const asked = {
    args,
    // a value may contain the `=` that ends its name
    env: [...env, `LS_COLORS=di=${randomInt(100)}:ln=${randomInt(100)}`],
    cwd: certain(others[randomInt(others.length)]),
  }
  const changed = changeSpec(step, spec => void Object.assign(spec.process, asked))
  return { ...changed, scene: () => ({ ...step.scene(), ...asked }) }
}
