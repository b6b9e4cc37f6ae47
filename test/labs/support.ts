import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { removeTree } from '../../lib/image/tree.ts'
import { exercises } from '../../lib/cli/exercises.ts'
import { changeProgress } from '../../lib/labs/progress.ts'
import { contentOf, noteProven } from '../../lib/labs/proven.ts'
import type { Workspace } from '../../lib/labs/workspace.ts'
import type { Verdict } from '../../lib/labs/verdict.ts'
import { fillData, makeUserFolder, runMinilab, type UserName, self } from '../support/minilab.ts'

export const LABS = join(import.meta.dirname, '../../labs')

/** A learner with a workspace of their own. */
export interface Learner {
  folder: string
  /** where images and state are */
  data: string
  /** runs minilab there */
  run(args: string[], env?: NodeJS.ProcessEnv): ReturnType<typeof runMinilab>
  write(file: string, text: string): void
  check(lab: number, env?: NodeJS.ProcessEnv): Promise<Verdict>
}

/** Makes one; everything of theirs is gone after the test. `finished`: of one that runs beside others, its context's. */
export async function newLearner(
  user: UserName = self,
  finished: (task: () => void) => void = onTestFinished,
): Promise<Learner> {
  const home = makeUserFolder(user)
  finished(() => removeTree(home))
  const [folder, data] = [join(home, 'mine'), join(home, 'data')]
  mkdirSync(data)
  fillData(data, user)
  const run: Learner['run'] = (args, env = {}) =>
    runMinilab(args, { user, data, env: { MINILAB_WORKSPACE: folder, ...env } })
  await run(['init', folder])
  return {
    folder,
    data,
    run,
    write: (file, text) => writeFileSync(join(folder, file), text),
    async check(lab, env) {
      const { stdout, stderr } = await run(['check', String(lab), '--json'], env)
      if (stderr) throw new Error(stderr)
      return JSON.parse(stdout) as Verdict
    },
  }
}

const SOLVED = ['1-cli', '2-namespaces', '3-root', '4-limits', '5-layers', '6-network', '7-run']

/** Writes all seven parts into a workspace as the reference does it, and notes that their checks have passed. */
export function solve(workspace: Workspace): void {
  for (const lab of SOLVED) writeFileSync(join(workspace.folder, `${lab}.ts`), solution(lab))
  prove(workspace)
}

/** Notes that the checks of all seven parts have passed, as they are. */
export function prove(workspace: Workspace): void {
  changeProgress(workspace, progress => {
    for (const lab of exercises)
      for (const rootless of [true, false]) noteProven(progress, lab, contentOf(workspace, lab), { rootless })
  })
}

/** The reference solution of a lab, `3-root`. */
export const solution = (lab: string) => readFileSync(join(LABS, lab, 'solution.ts'), 'utf8')
