import { sha256 } from '../common/hash.ts'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { LabName } from './exercise.ts'
import { readLearners } from './read-learners.ts'
import type { Progress } from './progress-shape.ts'
import { fileOf, type Workspace } from './workspace.ts'

/** Root and rootless are separate, because they check different things. */
const keyOf = ({ number, name }: LabName, rootless: boolean) =>
  `${number}-${name}${rootless ? ' rootless' : ''}`

/** A digest of a lab's file, or of `file` instead, and of the learner's other code, which it may import. */
export function contentOf(workspace: Workspace, lab: LabName, file = fileOf(workspace, lab)): string {
  const hash = sha256().update(readLearners(file))
  const others = readdirSync(workspace.folder).filter(
    name => /\.[cm]?[jt]s$/.test(name) && !/^\d-/.test(name),
  )
  for (const name of others.sort())
    hash.update(`\0${name}\0`).update(readLearners(join(workspace.folder, name)))
  return hash.digest('hex')
}

/** Whether no check of a lab failed the last time, and its file has not changed since. */
export const isProven = (
  { proven = {} }: Progress,
  workspace: Workspace,
  lab: LabName,
  { rootless }: { rootless: boolean },
) => proven[keyOf(lab, rootless)] === contentOf(workspace, lab)

/** Notes the content with which no check of a lab failed. */
export function noteProven(
  progress: Progress,
  lab: LabName,
  content: string,
  { rootless }: { rootless: boolean },
): void {
  progress.proven = { ...progress.proven, [keyOf(lab, rootless)]: content }
}
