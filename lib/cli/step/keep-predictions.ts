import type { Report } from '../../guide/step.ts'
import { keepEarly } from '../../labs/early-predictions.ts'
import { notePredictions } from '../../labs/predictions.ts'
import { changeProgress } from '../../labs/progress.ts'
import { findWorkspace } from '../../labs/workspace.ts'
import { warn } from '../report-error.ts'

/** Records a step's predictions for `minilab quiz`; without a workspace, for the first one made. The step does not fail because of this. */
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
