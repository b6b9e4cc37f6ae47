// Makes attacks on a container of step 1 as it is, and on one that lacks a single protection, and prints the outcomes: so each is
// seen to be able to get through. It mounts and starts what it likes, so it runs where that may be spoiled:
//   unshare --mount --pid --fork --mount-proc node leaky.ts
import { step } from '../../chapters/1-cli/step.ts'
import type { Part } from '../../lib/container/part.ts'
import { program } from '../../lib/container/parts/process.ts'
import type { Attack, Outcome } from '../../lib/guide/escape/attack.ts'
import { group, typing } from '../../lib/guide/escape/attacks/caller.ts'
import { descriptor } from '../../lib/guide/escape/attacks/files.ts'
import { makeAttackedHost, takeTerminal } from '../../lib/guide/escape/attacked-host.ts'
import { Target } from '../../lib/guide/escape/target.ts'
import { findImage } from '../../lib/image/store.ts'
import { now } from '../../lib/kernel/syscalls/now.ts'

/** What it prints, a line for each container. */
export interface Leak extends Outcome {
  attack: string
  /** the call that its container does not make; none where it is whole */
  without: string | null
}

/** The program part, behind which a call is taken from the tape, wherever it was recorded. */
const lacking = (call: string): Part => ({
  ...program,
  inside(tape, container, gate) {
    program.inside?.(tape, container, gate)
    tape.ops.splice(0, tape.ops.length, ...tape.ops.filter(op => op.call !== call))
  },
})

/** As `lacking`, where the program part itself is left out: a part that comes before it. */
const first = (call: string): Part => ({
  name: 'leak',
  inside: tape => void tape.ops.splice(0, tape.ops.length, ...tape.ops.filter(op => op.call !== call)),
})

const CASES: [attack: Attack, without: string, parts: Part[]][] = [
  [descriptor, 'close_range', [lacking('close_range')]],
  [typing, 'setsid', [first('setsid'), program]],
  [group, 'setsid', [first('setsid'), program]],
]

await findImage('default')
const host = makeAttackedHost(process.getuid?.() !== 0)
now.setsid() // kill(0) is to reach us, and nobody else
takeTerminal()
for (const [attack, call, parts] of CASES)
  for (const without of [call, null]) {
    await using target = new Target(step, without ? parts : [program], host)
    const leak: Leak = { attack: attack.id, without, ...(await attack.act(target)) }
    console.log(JSON.stringify(leak))
  }
