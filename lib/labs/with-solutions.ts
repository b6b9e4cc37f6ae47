import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Exercise } from './exercise.ts'
import { fileOf, initWorkspace, solutionFileOf, type Workspace } from './workspace.ts'

/** Runs a function with a temporary workspace in which these labs are solved as in the reference. */
export async function withSolutions<T>(
  labs: readonly Exercise[],
  task: (workspace: Workspace) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'minilab-solved-'))
  try {
    const { workspace } = initWorkspace(folder)
    for (const lab of labs) copyFileSync(solutionFileOf(lab), fileOf(workspace, lab))
    return await task(workspace)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
