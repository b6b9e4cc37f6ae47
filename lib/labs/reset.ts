import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { MinilabError } from '../common/errors.ts'
import type { Exercise, LabName } from './exercise.ts'
import { withFileLock } from './lock.ts'
import { readLearners } from './read-learners.ts'
import { createOwned, writeOwned } from './file-owner.ts'
import { changeProgress } from './progress.ts'
import { taskKey } from './verdict.ts'
import { fileOf, PROGRESS, startFileOf, type Workspace } from './workspace.ts'

/** Restores a lab's start file as resetFile does; its tasks and hints begin again. Passed tasks stay noted. */
export function resetLab(workspace: Workspace, exercise: Exercise): string | undefined {
  const kept = resetFile(workspace, exercise)
  changeProgress(workspace, ({ tasks }) => {
    for (const { id } of exercise.tasks) {
      const noted = tasks[taskKey(exercise, id)]
      if (!noted) continue
      noted.again = 0
      delete noted.from
    }
  })
  return kept
}

/**
 * Restores a lab's start file. Keeps the old file beside it and returns its new name; undefined if nothing had been changed.
 * Progress stays.
 */
export function resetFile(workspace: Workspace, exercise: LabName): string | undefined {
  const [file, startFile] = [fileOf(workspace, exercise), startFileOf(exercise)]
  if (!existsSync(startFile))
    throw new MinilabError('usage', `this minilab lacks ${startFile}`, 'install it again (git checkout labs)')
  const start = readFileSync(startFile)
  return withFileLock(join(workspace.folder, PROGRESS), () => {
    const content = existsSync(file) ? readLearners(file) : start
    if (content.equals(start)) {
      if (!existsSync(file)) writeOwned(file, start)
      return undefined
    }
    const kept = freeName(file)
    createOwned(kept, content)
    writeOwned(file, start)
    return basename(kept)
  })
}

/** An unused name: `3-root.before-reset.ts`, `3-root.before-reset-2.ts` … */
function freeName(file: string): string {
  for (let count = 1; ; count++) {
    const name = file.replace(/\.ts$/, `.before-reset${count > 1 ? `-${count}` : ''}.ts`)
    if (!existsSync(name)) return name
  }
}
