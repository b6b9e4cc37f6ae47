import {
  constants,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import { codeOf } from '../common/error-code.ts'
import { mayAccess } from '../kernel/process/access.ts'
import { MinilabError } from '../common/errors.ts'
import { readJson } from '../common/json.ts'
import { codeFolder, isCheckout, ownFolder } from '../common/own-folder.ts'
import { object } from '../common/shape.ts'
import type { LabName } from './exercise.ts'
import { withFileLock } from './lock.ts'
import { createOwned, linkOwned, makeOwnedFolder, sudoUser, writeOwned } from './file-owner.ts'
import type { Progress } from './progress-shape.ts'
import { scripts } from './workspace-script.ts'

/** A learner's folder: their code, one file for each chapter, and their progress. */
export interface Workspace {
  /** absolute, without symbolic links, so that paths in a stack trace begin with it */
  folder: string
}

/** The file that makes a folder a workspace. */
export const PROGRESS = 'progress.json'

/** `mine/` in a checkout: ignored by git, and made when it is first needed. */
export const MINE = join(ownFolder, 'mine')

/** The original files, which are TypeScript in the npm package too. */
const LABS = join(ownFolder, 'labs')

export const fileOf = ({ folder }: Workspace, { number, name }: LabName) =>
  join(folder, `${number}-${name}.ts`)
export const startFileOf = ({ number, name }: LabName) => join(LABS, `${number}-${name}`, 'start.ts')
export const solutionFileOf = ({ number, name }: LabName) => join(LABS, `${number}-${name}`, 'solution.ts')

export function noProgress(): Progress {
  return { minilab: 1, tasks: {}, predictions: {} }
}

/**
 * The workspace for a command: `$MINILAB_WORKSPACE`; else the nearest folder, from the current one upward, that is a workspace
 * or has one in `mine/`; else the checkout's, if we may write to it. Undefined if there is none. Throws a usage error if it
 * belongs to another user: that user's code would run with our rights.
 */
export function findWorkspace(from = process.cwd()): Workspace | undefined {
  const named = process.env.MINILAB_WORKSPACE
  if (named) return at(resolve(named))
  for (let folder = resolve(from), last = ''; folder !== last; last = folder, folder = dirname(folder)) {
    const found = at(folder) ?? at(join(folder, 'mine'))
    if (found && isStranger(found.folder))
      throw new MinilabError(
        'usage',
        `the workspace ${found.folder} is another user's`,
        'leave that folder, or name it if you trust its files: MINILAB_WORKSPACE=…',
      )
    if (found) return found
  }
  return mayAccess(MINE, constants.W_OK) ? at(MINE) : undefined
}

function at(folder: string): Workspace | undefined {
  return isWorkspace(folder) ? { folder: realpathSync(folder) } : undefined
}

/** Whether a folder is a workspace, even one whose progress file is damaged; not if the file clearly belongs to another program. */
function isWorkspace(folder: string): boolean {
  const file = join(folder, PROGRESS)
  if (!mayAccess(file, constants.R_OK)) return false
  const found = readJson(file, object({}), Infinity)
  return typeof found === 'object' ? 'minilab' in found : found === 'no JSON'
}

/** Whether another user may have put the folder there, as anyone can in /tmp. */
function isStranger(folder: string): boolean {
  const known = [0, process.geteuid?.(), sudoUser()?.uid, statSync(ownFolder).uid]
  return !known.includes(statSync(folder).uid)
}

/** The folder that `minilab init` makes if none is given. */
export const defaultFolder = () => (isCheckout ? MINE : resolve('mine'))

/** One file or link of a workspace. */
interface Piece {
  name: string
  isThere(): boolean
  make(): void
}

/**
 * Makes a folder a workspace. One that is a workspace already gets what it lacks; nothing that is there is changed, but
 * links, and our scripts, that lead to another minilab than this. Returns with it the names of what was made.
 * Throws a usage error where the folder holds other things or cannot be made or written.
 */
export function initWorkspace(path: string): { workspace: Workspace; made: string[] } {
  const wanted = resolve(path)
  try {
    const made = at(wanted) ? [] : begin(wanted)
    const workspace = { folder: realpathSync(wanted) }
    const missing = () => pieces(workspace.folder).filter(piece => !piece.isThere())
    if (missing().length > 0)
      withFileLock(join(workspace.folder, PROGRESS), () => {
        for (const { name, make } of missing()) {
          make()
          made.push(name)
        }
      })
    return { workspace, made }
  } catch (error) {
    const why = REFUSED[codeOf(error) ?? '']
    throw why ? new MinilabError('usage', `${wanted} ${why}`, 'name another folder: minilab init DIR') : error
  }
}

/** Makes the folder if it is missing, and the file that makes it a workspace. */
function begin(folder: string): string[] {
  makeOwnedFolder(folder, sudoUser())
  const other = readdirSync(folder).find(name => !name.startsWith('.')) // hidden files are allowed: git init may have run before
  try {
    if (other === undefined) {
      createOwned(join(folder, PROGRESS), lines(noProgress()))
      return [PROGRESS]
    }
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  }
  if (isWorkspace(folder)) return [] // another process made it first
  throw new MinilabError(
    'usage',
    `${folder} holds other things (${other ?? PROGRESS})`,
    'name a new or an empty folder',
  )
}

const REFUSED: Record<string, string> = {
  EACCES: 'cannot be written to with your rights',
  EPERM: 'cannot be written to, or can hold no symbolic links',
  EPROTO: 'can hold no symbolic links', // VirtualBox's shared folders
  EOPNOTSUPP: 'can hold no symbolic links',
  EROFS: 'is on a read-only file system',
  ENOTDIR: 'is no directory',
  ENOENT: 'cannot be made', // /proc
  ELOOP: 'is a symbolic link to itself',
  ENAMETOOLONG: 'is too long a name',
}

function pieces(folder: string): Piece[] {
  const file = (name: string, text: () => string): Piece => {
    const path = join(folder, name)
    return { name, isThere: () => existsSync(path), make: () => writeOwned(path, text()) }
  }
  return [
    file('package.json', () => lines(PACKAGE)),
    file('tsconfig.json', () => lines(TSCONFIG)),
    file('.gitignore', () => 'node_modules/\n*.new\n/minilab\n/minilab-oci\n'),
    ...scripts(folder),
    link(folder, 'node_modules/minilab', codeFolder),
    ...nodeTypes().map(types => link(folder, 'node_modules/@types/node', types)),
    ...labs().map(lab => file(`${lab}.ts`, () => readFileSync(join(LABS, lab, 'start.ts'), 'utf8'))),
  ]
}

/** A link; relative inside a checkout, so that both can be moved, or shared with a VM, together. */
function link(folder: string, name: string, target: string): Piece {
  const path = join(folder, name)
  const leadsTo = `${folder}/`.startsWith(`${ownFolder}/`) ? relative(dirname(path), target) : target
  return {
    name,
    isThere() {
      const there = lstatSync(path, { throwIfNoEntry: false })
      return there !== undefined && (!there.isSymbolicLink() || readlinkSync(path) === leadsTo)
    },
    make() {
      makeOwnedFolder(dirname(path))
      linkOwned(leadsTo, path)
    },
  }
}

/** The folders with Node's types for the editor; none if the package was installed without its development dependencies. */
function nodeTypes(): string[] {
  const paths = createRequire(join(codeFolder, 'package.json')).resolve.paths('@types/node') ?? []
  return paths
    .map(path => join(path, '@types/node'))
    .filter(path => existsSync(path))
    .slice(0, 1)
}

function labs(): string[] {
  if (!existsSync(LABS)) return []
  return readdirSync(LABS)
    .filter(name => /^\d+-/.test(name) && existsSync(join(LABS, name, 'start.ts')))
    .sort((a, b) => Number.parseInt(a) - Number.parseInt(b))
}

const lines = (document: object) => JSON.stringify(document, null, 2) + '\n'

/** Makes Node use `import` instead of `require`, and npm publish nothing. */
const PACKAGE = { private: true, type: 'module' }

/** For the editor: Node removes types without checking them. */
const TSCONFIG = {
  compilerOptions: {
    module: 'nodenext',
    target: 'es2024',
    lib: ['es2025'],
    types: ['node'],
    strict: true,
    noEmit: true,
    erasableSyntaxOnly: true,
    verbatimModuleSyntax: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
  },
  include: ['*.ts'],
  exclude: ['*.before-reset*.ts'],
}
