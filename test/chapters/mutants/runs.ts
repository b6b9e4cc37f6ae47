// Builds mutants of a chapter one after the other, and prints a line for each: { name, built } or { name, exit }. A process in a
// sandbox builds several: as soon as one has left a trace, or has ended that process, the next one gets a new sandbox.
//   node runs.ts 3 '[{ "name": "chroot", "rootless": false }, …]'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isRootless } from '../../../lib/cli/rootless.ts'
import { steps } from '../../../lib/cli/steps.ts'
import { imageUse, makeDataCopy } from '../../../lib/guide/data-copy.ts'
import { dataFolder } from '../../../lib/image/data-folder.ts'
import type { Exit } from '../../../lib/kernel/process/child.ts'
import { BUILT_FILE, type Built, type MutantJob, MUTANTS } from './in-sandbox.ts'

/** One line of the output. */
export interface Run {
  name: string
  built?: Built
  /** how its process ended before there was a report */
  exit?: Exit
}

/** How long one mutant may take, in milliseconds: against hanging, not for speed. */
export const MUTANT_LIMIT = 300_000

/** Builds mutants in one sandbox until they are all built, or one spoils it. */
async function inOneSandbox(number: number, jobs: MutantJob[]): Promise<void> {
  await using data = await makeDataCopy(imageUse(await steps[number - 1]!.load()))
  const args = [process.execPath, join(import.meta.dirname, 'in-sandbox.ts'), String(number)]
  const env = { ...process.env, MINILAB_DATA: dataFolder() }
  const { files, cgroup } = data
  const root = !isRootless(jobs[0]?.rootless)
  await using process_ = await MUTANTS.start({ kind: 'protected', root, files, cgroup }, { args, env })
  for (let job = jobs.shift(); job; job = jobs.shift()) {
    const { exit } = await process_.do(job, MUTANT_LIMIT)
    const file = join(files.copy, BUILT_FILE)
    const run: Run = {
      name: job.name,
      ...(exit ? { exit } : { built: JSON.parse(readFileSync(file, 'utf8')) }),
    }
    console.log(JSON.stringify(run))
    rmSync(file, { force: true })
    if (exit || run.built?.spoiled.length) return
  }
}

if (process.argv[1] === import.meta.filename) {
  const [, , number, jobs = '[]'] = process.argv
  const left = JSON.parse(jobs) as MutantJob[]
  while (left.length > 0) await inOneSandbox(Number(number), left)
}
