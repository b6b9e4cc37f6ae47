// Makes the attack on leaked descriptors on a container of step 1 whose program part does not close them, and on one whose
// does, and prints both outcomes. It mounts and starts what it likes, so it runs where that may be spoiled:
//   unshare --mount --pid --fork --mount-proc node leaky.ts
import { step } from '../../chapters/1-cli/step.ts'
import type { Part } from '../../lib/container/part.ts'
import { program } from '../../lib/container/program.ts'
import type { Outcome } from '../../lib/guide/escape/attack.ts'
import { descriptor } from '../../lib/guide/escape/attacks/files.ts'
import { makeRange } from '../../lib/guide/escape/range.ts'
import { Target } from '../../lib/guide/escape/target.ts'
import type { Step } from '../../lib/guide/step.ts'
import { findImage } from '../../lib/image/store.ts'

/** What it prints, a line for each container. */
export interface Leak extends Outcome {
  /** whether its program part closes what we have open */
  closes: boolean
}

const leaky: Part = {
  ...program,
  inside(tape, container, gate) {
    const before = tape.ops.length
    program.inside?.(tape, container, gate)
    tape.ops.push(...tape.ops.splice(before).filter(({ call }) => call !== 'close_range'))
  },
}

await findImage('default')
const range = makeRange(process.getuid?.() !== 0)
for (const part of [leaky, program]) {
  const target = new Target(step as Step, [part], range)
  const leak: Leak = { closes: part === program, ...(await descriptor.act(target)) }
  console.log(JSON.stringify(leak))
  await target.close()
}
