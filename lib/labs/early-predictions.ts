import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Report } from '../guide/step.ts'
import { dataFolder, ROOTS_DATA } from '../image/data-folder.ts'
import { codeOf } from '../common/error-code.ts'
import { makeOwnedFolder, sudoUser, writeOwned } from './file-owner.ts'
import { notePredictions } from './predictions.ts'
import type { Progress } from './progress-shape.ts'
import { changeProgress, readProgress } from './progress.ts'
import { noProgress, PROGRESS, type Workspace } from './workspace.ts'

// Predictions made while there is no workspace are kept in the data folder, as a progress file of their own. Each user of sudo
// has a folder there, because all of them use root's data folder

/** Keeps what was predicted in a step for the workspace that is opened next. */
export function keepEarly(report: Report): void {
  const ids = sudoUser()
  const folder = join(dataFolder(), 'predictions', ids ? `of-${ids.uid}` : 'own')
  makeOwnedFolder(folder)
  const path = join(folder, PROGRESS)
  if (!existsSync(path)) writeOwned(path, JSON.stringify(noProgress()))
  changeProgress({ folder }, progress => notePredictions(progress, report))
}

/** The predictions of this user that no workspace has yet. */
export function earlyPredictions(): Progress['predictions'] {
  const kept = earlyFolders().filter(folder => existsSync(join(folder, PROGRESS)))
  return Object.assign({}, ...kept.map(folder => readProgress({ folder }).predictions))
}

/** Moves the user's earlier predictions into a workspace. If it has a later answer to the same question, that stays. */
export function bringEarly(workspace: Workspace): void {
  for (const folder of earlyFolders()) {
    if (!existsSync(join(folder, PROGRESS))) continue
    const { predictions: known } = readProgress(workspace)
    const early = Object.entries(readProgress({ folder }).predictions)
    const newer = early.filter(([question, { at }]) => at > (known[question]?.at ?? ''))
    if (newer.length > 0)
      changeProgress(workspace, ({ predictions }) => Object.assign(predictions, Object.fromEntries(newer)))
    removeIfOurs(folder)
  }
}

/** Where this user's predictions may be: those made under sudo are in root's data folder. */
function earlyFolders(): string[] {
  const ids = sudoUser()
  if (ids) return [join(dataFolder(), 'predictions', `of-${ids.uid}`)]
  return [join(dataFolder(), 'predictions/own'), join(ROOTS_DATA, 'predictions', `of-${process.getuid?.()}`)]
}

/** Removes it if we may. What root keeps for us stays, and does no harm: next time it is no newer. */
function removeIfOurs(folder: string): void {
  try {
    rmSync(folder, { recursive: true })
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes(codeOf(error) ?? '')) throw error
  }
}
