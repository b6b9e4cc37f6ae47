import { certain } from '../../common/certain.ts'
import { existsSync } from 'node:fs'
import type { Part } from '../../container/part.ts'
import { MinilabError } from '../../common/errors.ts'
import { namingLines, ownParts, ownWorkspace } from '../../labs/own-parts.ts'
import { readProgress } from '../../labs/progress.ts'
import { isProven } from '../../labs/proven.ts'
import { Trials } from '../../labs/trials.ts'
import { whyFailed } from '../../labs/verdict.ts'
import { fileOf } from '../../labs/workspace.ts'
import { exercises } from '../exercises.ts'
import { checkLab } from '../lab/run-check.ts'
import { warn } from '../report-error.ts'

/**
 * Refuses to run parts for real that fail their checks: a container without its root would be the host. A file that has
 * changed since it passed is checked first. Throws a usage error that says what fails.
 */
export async function refuseUnproven(rootless: boolean): Promise<void> {
  const workspace = ownWorkspace()
  const missing = exercises.find(lab => !existsSync(fileOf(workspace, lab)))
  if (missing)
    throw new MinilabError(
      'usage',
      `${fileOf(workspace, missing)} is missing`,
      `minilab lab ${missing.number} makes it`,
    )
  for (const lab of exercises) {
    const file = fileOf(workspace, lab)
    if (isProven(readProgress(workspace), workspace, lab, { rootless })) continue
    warn(`${file} has not been checked since its last change: checking lab ${lab.number}`)
    const exercise = await lab.load()
    await using trials = new Trials(exercise, rootless, 'once')
    const { tasks, problem } = (await checkLab(workspace, exercise, rootless, trials)).verdict
    const failed = tasks.find(({ state }) => state === 'failed')
    if (!failed) continue
    const why = whyFailed(failed, problem).diagnosis.replace(/[.:]$/, '')
    throw new MinilabError(
      'usage',
      `lab ${lab.number} does not pass, task “${failed.title}”: ${why}`,
      `minilab check ${lab.number} says more; --unsafe runs your parts anyway`,
    )
  }
}

/** Does something with the learner's parts. If one of their calls is refused, the error names its line. */
export async function withOwnParts<T>(run: (parts: readonly Part[]) => Promise<T>): Promise<T> {
  const parts = await ownParts(await certain(exercises.at(-1)).load())
  return namingLines(() => run(parts))
}
