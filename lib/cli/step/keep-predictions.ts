import type { Report } from '../../guide/step.ts'
import { keepEarly } from '../../labs/early-predictions.ts'
import { notePredictions } from '../../labs/predictions.ts'
import { changeProgress } from '../../labs/progress.ts'
import { findWorkspace } from '../../labs/workspace.ts'
import { warn } from '../report-error.ts'

/** Notes for `minilab quiz` what was predicted in a step; without a workspace, for the first one. A step does not fail for that. */
export function keepPredictions(report: Report): void {
  try {
    const workspace = findWorkspace()
    if (workspace) changeProgress(workspace, progress => notePredictions(progress, report))
    else keepEarly(report)
  } catch (error) {
    const { message, remedy = '' } = error as Error & { remedy?: string }
    warn(`your predictions were not noted: ${[message, remedy].filter(Boolean).join(': ')}`)
  }
}
