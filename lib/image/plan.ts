import {
  chmodSync,
  constants,
  copyFileSync,
  lstatSync,
  lutimesSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { makeDir } from './data-folder.ts'
import { walk } from './tree.ts'

/** What to put at a path of a planned tree. */
export type Item = { copy: string } | { link: string } | { text: string } | { dir: number }
/** A planned tree: an item for each absolute path. Parent directories need not be named. */
export type Plan = Map<string, Item>

/**
 * Plans a file of the host at the same path, and each symbolic link on the way, so that the path leads to it as on the host:
 * /bin → usr/bin, /bin/sh → dash, /etc/alternatives. Returns the path that it leads to; for a directory only the links are
 * planned. Throws ENOENT and the like if the host has no such file.
 */
export function planHostFile(plan: Plan, path: string): string {
  let reached = '/'
  let names = path.split('/').filter(Boolean)
  for (let name; (name = names.shift()) !== undefined;) {
    const here = resolve(reached, name)
    const stat = lstatSync(here)
    if (stat.isSymbolicLink()) {
      const link = readlinkSync(here)
      plan.set(here, { link })
      names = [...resolve(reached, link).split('/').filter(Boolean), ...names]
      reached = '/'
      continue
    }
    if (stat.isFile()) plan.set(here, { copy: here })
    reached = here
  }
  return reached
}

/**
 * Makes a planned tree at `dir`. Makes copies, not hard links: a program that writes in the tree must not change the host's
 * programs. Copies keep mode and time, but not the setuid bits, because nothing updates a copy. Everything else gets the time
 * of the newest copy, so that the same sources give the same tree.
 */
export function makeTree(plan: Plan, dir: string): void {
  let newest = 0
  makeDir(dir)
  for (const [path, item] of plan) {
    const target = join(dir, path)
    makeDir('dir' in item ? target : dirname(target))
    if ('dir' in item) chmodSync(target, item.dir)
    else if ('link' in item) symlinkSync(item.link, target)
    else if ('text' in item) {
      writeFileSync(target, item.text)
      chmodSync(target, 0o644)
    } else {
      const { mode, mtimeMs } = statSync(item.copy)
      copyFileSync(item.copy, target, constants.COPYFILE_FICLONE) // shares the blocks if the file system can
      chmodSync(target, mode & 0o777)
      const seconds = Math.floor(mtimeMs / 1000)
      lutimesSync(target, seconds, seconds)
      newest = Math.max(newest, seconds)
    }
  }
  for (const { path, at } of walk(dir)) {
    const item = plan.get(`/${path}`)
    if (!item || !('copy' in item)) lutimesSync(at, newest, newest)
  }
}
