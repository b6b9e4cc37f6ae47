import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readLearners } from './read-learners.ts'
import type { WrittenFile } from './report-shape.ts'
import { startFileOf, type Workspace } from './workspace.ts'

/** The learner's code: each lab's file that differs from its start file, and the other code files beside them. */
export function writtenFiles({ folder }: Workspace): WrittenFile[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(entry => entry.isFile() && /\.[cm]?[jt]s$/.test(entry.name))
    .map(({ name }) => ({ name, text: readLearners(join(folder, name)).toString() }))
    .filter(({ name, text }) => !/\.before-reset(-\d+)?\.ts$/.test(name) && text !== startOf(name))
    .sort((a, b) => a.name.localeCompare(b.name, 'en'))
}

/** The text of a lab's start file; `file` is the name of the lab's file. */
function startOf(file: string): string | undefined {
  const [, number, name = ''] = /^(\d+)-(.+)\.ts$/.exec(file) ?? []
  const path = startFileOf({ number: Number(number), name })
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}
