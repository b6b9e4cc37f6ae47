import { basename, relative } from 'node:path'
import { askWhether } from '../../guide/predict.ts'
import { Presenter } from '../../guide/present.ts'
import { MinilabError } from '../../common/errors.ts'
import { overview, ProgressPresenter } from '../../labs/overview.ts'
import { readProgress } from '../../labs/progress.ts'
import { resetLab } from '../../labs/reset.ts'
import { openWorkspace } from '../../labs/open-workspace.ts'
import { defaultFolder, fileOf, findWorkspace, initWorkspace } from '../../labs/workspace.ts'
import { loadLabs } from '../exercises.ts'
import { labNamed } from '../lab/which-lab.ts'

/** Makes a workspace, or adds what is missing from it; says what was made and what to do next. */
export function init(dir = defaultFolder()): void {
  const { workspace, made } = initWorkspace(dir)
  const { folder } = workspace
  const presenter = new Presenter()
  presenter.line(made.length > 0 ? `Made in ${folder}:` : `${folder} is a complete workspace already.`)
  for (const name of made) presenter.line(`  ${name.padEnd(26)}${PURPOSES[name] ?? 'what you write'}`)
  const found = process.env.MINILAB_WORKSPACE ? folder : findWorkspace()?.folder
  presenter.line()
  if (found === folder) presenter.line('Next: minilab lab shows the first task.')
  // printed as it is: a path to minilab that is relative to this folder would be wrong in the other one
  else
    console.log(`Next: cd ${shorter(relative('', folder), folder)}, then ./minilab lab shows the first task.`)
}

const shorter = (one: string, other: string) => (one.length < other.length ? one : other)

const PURPOSES: Record<string, string> = {
  'progress.json': 'which tasks you have passed',
  minilab: 'the command; call it there',
  'package.json': 'makes your files modules for Node',
  'tsconfig.json': 'tells your editor their types',
  '.gitignore': 'for git, if you use it',
  'node_modules/minilab': 'what they import',
  'node_modules/@types/node': 'the types of Node',
}

/** Shows the learner's progress. */
export async function showProgress(flags: { json?: boolean; plain?: boolean }): Promise<void> {
  const workspace = openWorkspace()
  const labs = await loadLabs()
  const state = overview(workspace, labs, readProgress(workspace))
  if (flags.json) console.log(JSON.stringify(state))
  else new ProgressPresenter(flags).overview(state)
}

/** Restores a lab's start file, or with `all` every start file, after confirmation. */
export async function reset(word: string, { yes = false }: { yes?: boolean }): Promise<void> {
  const workspace = openWorkspace()
  const labs = word === 'all' ? await loadLabs() : [await labNamed(word)]
  if (word === 'all' && !yes && !(await isConfirmed(labs.length))) return console.log('Nothing was reset.')
  for (const lab of labs) {
    const kept = resetLab(workspace, lab)
    const name = basename(fileOf(workspace, lab))
    console.log(
      kept
        ? `${name} is the start file again; what you wrote is kept as ${kept}.`
        : `${name} is the start file already.`,
    )
  }
  console.log(`${labs.length > 1 ? 'Their' : 'Its'} hints begin again with the first.`)
}

async function isConfirmed(count: number): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw new MinilabError(
      'usage',
      'reset all asks first, and needs a terminal for your answer',
      'minilab reset all --yes',
    )
  return askWhether(`Put back the start files of all ${count} labs? What you wrote is kept beside them.`)
}
