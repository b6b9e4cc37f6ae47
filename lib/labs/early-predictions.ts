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

// Predictions that are made while there is no workspace are kept in the data folder: as their own progress, in a folder for
// each user of sudo, because all of them have root's data folder.

/** Notes what was predicted in a step, for the next workspace that is opened. */
export function keepEarly(report: Report): void {
  const ids = sudoUser()
  const folder = join(dataFolder(), 'predictions', ids ? `of-${ids.uid}` : 'own')
  makeOwnedFolder(folder)
  const path = join(folder, PROGRESS)
  if (!existsSync(path)) writeOwned(path, JSON.stringify(noProgress()))
  changeProgress({ folder }, progress => notePredictions(progress, report))
}

/** What this user has predicted while there was no workspace, and no workspace has yet. */
export function earlyPredictions(): Progress['predictions'] {
  const kept = earlyFolders().filter(folder => existsSync(join(folder, PROGRESS)))
  return Object.assign({}, ...kept.map(folder => readProgress({ folder }).predictions))
}

/** Brings into a workspace what its user has predicted before. A later answer to the same question stays. */
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

/** Where this user's may be: what they predicted under sudo is in root's data folder. */
function earlyFolders(): string[] {
  const ids = sudoUser()
  if (ids) return [join(dataFolder(), 'predictions', `of-${ids.uid}`)]
  return [join(dataFolder(), 'predictions/own'), join(ROOTS_DATA, 'predictions', `of-${process.getuid?.()}`)]
}

/** What root keeps for us stays: it is not newer the next time. */
function removeIfOurs(folder: string): void {
  try {
    rmSync(folder, { recursive: true })
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes(codeOf(error) ?? '')) throw error
  }
}
