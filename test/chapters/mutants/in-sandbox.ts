// In the sandbox, started by runs.ts: builds one mutant after the other, as jobs, and writes what came of each to a file.
//   node in-sandbox.ts 3
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chooseWrong } from '../../../lib/cli/dev/mutants.ts'
import { isRootless } from '../../../lib/cli/rootless.ts'
import { difference } from '../../../lib/guide/host-state.ts'
import { Jobs } from '../../../lib/sandbox/jobs.ts'
import { MutantPresenter } from '../../../lib/guide/present-mutant.ts'
import { runMutant, seenAsDeclared, type WrongReport } from '../../../lib/guide/run-mutant.ts'
import { surroundings } from '../../../lib/guide/process-state.ts'
import { dataFolder } from '../../../lib/image/data-folder.ts'

/** The file in the data folder, which is a copy. */
export const BUILT_FILE = 'built.json'

/** What came of a mutant: its report, and what is otherwise than before it. */
export interface Built {
  report: WrongReport
  asDeclared: boolean
  spoiled: string[]
}

export interface MutantJob {
  name: string
  rootless: boolean
}

export const MUTANTS = new Jobs<MutantJob>('mutants')

if (process.argv[1] === import.meta.filename) {
  const number = Number(process.argv[2])
  process.argv[1] = join(import.meta.dirname, '../../../bin.mjs') // whom step 7 starts as itself
  await MUTANTS.serve(() => {
    const look = () => surroundings({ rules: number >= 6, image: true })
    const before = look()
    return async ({ name, rootless }) => {
      const presenter = new MutantPresenter({ quiet: true })
      const options = { rootless: isRootless(rootless), runtime: 'minilab', keep: false, presenter }
      const wrong = await chooseWrong(number, { runtime: 'minilab', mutant: name }, options.rootless)
      const report = await runMutant(wrong, { ...options, ask: false })
      const built = { report, asDeclared: seenAsDeclared(report), spoiled: difference(before, look()) }
      writeFileSync(join(dataFolder(), BUILT_FILE), JSON.stringify(built satisfies Built))
    }
  })
}
