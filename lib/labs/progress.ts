import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf } from '../common/error-code.ts'
import { MinilabError } from '../common/errors.ts'
import { parseJson } from '../common/json.ts'
import { count, object, where } from '../common/shape.ts'
import { withFileLock } from './lock.ts'
import { writeOwned } from './file-owner.ts'
import { isProgress, type Progress } from './progress-shape.ts'
import { noProgress, PROGRESS, type Workspace } from './workspace.ts'

/**
 * The progress in a workspace; an empty file means no progress. Throws a usage error if the file is damaged, or from a newer
 * version.
 */
export function readProgress({ folder }: Workspace): Progress {
  const path = join(folder, PROGRESS)
  const text = readFileSync(path, 'utf8')
  if (text.trim() === '') return noProgress()
  const progress = parseJson(text, isProgress)
  if (progress) return progress
  if (parseJson(text, object({ minilab: where(count, version => version > 1) })))
    throw new MinilabError(
      'usage',
      `${path} was written by a newer minilab`,
      'use the newer one, or update this one (git pull)',
    )
  throw new MinilabError(
    'usage',
    `${path} is damaged`,
    'it is JSON: repair it, put back a copy of it, or empty it to begin again',
  )
}

/**
 * Changes the progress in a workspace, and returns it. Two commands at once do not lose each other's changes, and if we are
 * killed the file stays as it was. Throws a usage error if the file is damaged, newer, or not writable.
 */
export function changeProgress(workspace: Workspace, change: (progress: Progress) => void): Progress {
  const path = join(workspace.folder, PROGRESS)
  try {
    return withFileLock(path, () => {
      const progress = readProgress(workspace)
      change(progress)
      writeOwned(path, JSON.stringify(progress, null, 2) + '\n')
      return progress
    })
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes(codeOf(error) ?? '')) throw error
    throw new MinilabError(
      'usage',
      `${path} cannot be written to with your rights`,
      'work in your own folder: minilab init DIR',
    )
  }
}
