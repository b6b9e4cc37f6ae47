import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { GENERATOR } from './frame.ts'
import type { Files } from './site.ts'

/**
 * Writes a site to a folder, completely or not at all: it is made beside the folder, and then replaces it. An earlier output is
 * replaced. Throws errors of the file system.
 */
export function writeSite(files: Files, folder: string): void {
  const path = resolve(folder)
  const target = existsSync(path) ? realpathSync(path) : path
  mkdirSync(dirname(target), { recursive: true })
  const fresh = mkdtempSync(`${target}.new-`) // a name that is not in use
  try {
    chmodSync(fresh, 0o777 & ~process.umask())
    for (const [path, content] of files) {
      mkdirSync(dirname(join(fresh, path)), { recursive: true })
      writeFileSync(join(fresh, path), content)
    }
    replace(target, fresh, `${fresh}.old`)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

/** rename(2) replaces only an empty folder: so the old one is moved away first, and moved back if the new one cannot be put there. */
function replace(target: string, fresh: string, old: string): void {
  if (!existsSync(target)) return renameSync(fresh, target)
  renameSync(target, old)
  try {
    renameSync(fresh, target)
  } catch (error) {
    renameSync(old, target)
    throw error
  }
  rmSync(old, { recursive: true })
}

/**
 * What prevents writing a site to a folder: the path of a file that is not from an earlier output; undefined if nothing does.
 * `names` gives the files of the new site; it is called only if the folder has an earlier one.
 */
export function inTheWay(folder: string, names: () => Iterable<string>): string | undefined {
  folder = resolve(folder)
  if (!existsSync(folder)) return undefined
  if (!statSync(folder).isDirectory()) return folder
  const there = readdirSync(folder, { recursive: true, withFileTypes: true }).map(entry => ({
    path: relative(folder, join(entry.parentPath, entry.name)),
    isFolder: entry.isDirectory(),
  }))
  // the name does not tell: pages may have been renamed since, and many other sites have an index.html
  const isPage = (path: string) => path.endsWith('.html') && isOurPage(join(folder, path))
  if (!isPage('index.html')) {
    const foreign = there.find(({ path }) => !isPage(path))
    return foreign && join(folder, foreign.path)
  }
  const ours = [...names()]
  const foreign = there.find(({ path, isFolder }) =>
    isFolder
      ? !ours.some(file => file.startsWith(`${path}/`))
      : !(path.endsWith('.html') ? isPage(path) : ours.includes(path)),
  )
  return foreign && join(folder, foreign.path)
}

function isOurPage(file: string): boolean {
  const isFile = statSync(file, { throwIfNoEntry: false })?.isFile() ?? false
  return isFile && readFileSync(file, 'utf8').includes(`<meta name="generator" content="${GENERATOR}"`)
}
