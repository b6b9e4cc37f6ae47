import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs'
import { userInfo } from 'node:os'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import { MinilabError } from '../common/errors.ts'
import { inFirstUserNamespace } from '../kernel/process/procfs.ts'
import { codeOf } from '../common/error-code.ts'
import { fileError } from './error.ts'

/** Root's data folder, unless $MINILAB_DATA gives another. */
export const ROOTS_DATA = '/var/lib/minilab'

/**
 * The folder for images, layers and state: `$MINILAB_DATA`; otherwise /var/lib/minilab for the machine's root; otherwise
 * `$XDG_DATA_HOME/minilab`, by default ~/.local/share/minilab. Returns an absolute path without symbolic links, so that a
 * folder has the same name however it is spelled. Makes nothing.
 *
 * A process that is uid 0 only inside a user namespace cannot tell from its uid: its parent sets MINILAB_DATA.
 */
export function dataFolder(): string {
  const asked = whichFolder()
  if (known?.asked !== asked) {
    const folder = realPath(asked)
    refuseStrangers(folder)
    known = { asked, folder }
  }
  return known.folder
}

let known: { asked: string; folder: string } | undefined // kept, because a command asks many times

/** From now on uses the data folder's present path, if it was moved while we ran. */
export function followDataFolder(locate: () => string): void {
  if (known && !existsSync(known.folder)) known = { ...known, folder: locate() }
}

/** The path without symbolic links, as far as it exists; unchanged if that cannot be found out, or if it is not UTF-8. */
export function realPath(path: string): string {
  try {
    const real = realpathSync(path)
    return real.includes('\uFFFD') ? path : real
  } catch (error) {
    if (path === '/' || !['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '')) return path
    return join(realPath(dirname(path)), basename(path))
  }
}

const FOLDERS = ['containers', 'images', 'layers', 'ledger', 'logs', 'names.lock', 'predictions', 'tmp']

/**
 * We act on the content of the folder: we remove cgroups and links, delete files, mount file systems. So only we (or
 * root) may have made it, and only we may write to it. In a folder such as /tmp, which all users may write to and keep files in,
 * the same must hold for our folders inside it. Throws a MinilabError (machine).
 */
function refuseStrangers(folder: string): void {
  const stat = readable(folder)
  if (!stat) return
  if (!stat.isDirectory())
    throw new MinilabError(
      'usage',
      `the data folder ${folder} is not a directory`,
      'set MINILAB_DATA to a folder that belongs to you',
    )
  refuseStranger(folder, stat)
  if ((stat.mode & WRITABLE) === 0) return
  if ((stat.mode & STICKY) === 0)
    throw new MinilabError(
      'machine',
      `the data folder ${folder} is writable by others, so its content cannot be trusted`,
      `chmod go-w ${folder}`,
    )
  for (const path of FOLDERS.map(name => join(folder, name))) {
    const inner = lstatSync(path, { throwIfNoEntry: false })
    if (inner) refuseStranger(path, inner)
  }
}

function readable(folder: string): Stats | undefined {
  try {
    const stat = statSync(folder, { throwIfNoEntry: false })
    if (stat?.isDirectory()) accessSync(folder, constants.R_OK | constants.X_OK)
    return stat
  } catch (error) {
    throw fileError(`look into the data folder ${folder}`, error)
  }
}

const WRITABLE = 0o022 // by a group, by all users
const STICKY = 0o1000

function refuseStranger(folder: string, { uid }: Stats): void {
  if (uid === process.geteuid?.() || uid === 0) return
  throw new MinilabError(
    'machine',
    `the data folder ${folder} belongs to another user${inFirstUserNamespace() ? ` (uid ${uid})` : ''}, so its content cannot be trusted`,
    'set MINILAB_DATA to a folder that belongs to you',
  )
}

function whichFolder(): string {
  const { MINILAB_DATA, XDG_DATA_HOME } = process.env
  if (MINILAB_DATA) return resolve(MINILAB_DATA)
  if (process.geteuid?.() === 0 && isOurs('/var/lib')) return ROOTS_DATA
  // XDG Base Directory Specification: a relative path is invalid and to be ignored
  const base = XDG_DATA_HOME && isAbsolute(XDG_DATA_HOME) ? XDG_DATA_HOME : join(home(), '.local/share')
  return join(base, 'minilab')
}

/** To root of its own user namespace, the machine's folders appear to belong to the overflow uid: user_namespaces(7). */
const isOurs = (folder: string) =>
  (statSync(folder, { throwIfNoEntry: false })?.uid ?? 0) === process.geteuid?.()

/** $HOME or, if that is not an absolute path, the account's home: passwd(5). Throws a MinilabError (machine) if there is neither. */
function home(): string {
  const { HOME = '' } = process.env
  if (isAbsolute(HOME)) return HOME
  try {
    return userInfo().homedir
  } catch {
    throw new MinilabError(
      'machine',
      `HOME is not set, and uid ${process.geteuid?.()} has no account`,
      'set MINILAB_DATA to a folder that belongs to you',
    )
  }
}

/**
 * Makes a directory with a mode, whatever the umask, and missing parents with 0755: the processes of a user namespace look
 * up a layer's path with other rights than ours. Throws a MinilabError (machine).
 */
export function makeDir(path: string, mode = 0o755): void {
  const exists = () => statSync(path, { throwIfNoEntry: false })?.isDirectory()
  try {
    if (exists()) return
    makeDir(dirname(path)) // not mkdirSync's `recursive`, which tries for ever under /proc
    mkdirSync(path)
    chmodSync(path, mode)
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && exists()) return // another process was faster
    throw fileError(`make ${path}`, error)
  }
}
