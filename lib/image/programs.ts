import { spawnSync } from 'node:child_process' // not execa: nothing else runs while a plan is made
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { interpreter } from './elf.ts'
import { MinilabError } from '../common/errors.ts'
import { SKELETON, TOOLS } from './default-recipe.ts'
import { type Plan, planHostFile } from './plan.ts'

const DIRECTORIES = ['/bin', '/usr/bin', '/sbin', '/usr/sbin']

/** The descriptions of the usual terminals that interactive programs read (terminfo(5)). */
const TERMINALS = [
  'dumb',
  'linux',
  'screen',
  'screen-256color',
  'tmux-256color',
  'vt100',
  'xterm',
  'xterm-256color',
]
const TERMINFO = ['/lib/terminfo', '/usr/share/terminfo']

/** A root file system without these is useless. */
const REQUIRED = ['sh', 'ls', 'cat']

/**
 * Plans the image "default": from the first path in `looked` that is a static busybox, else from the host's own programs. In
 * that case adds to `looked` every path that decided what is taken. Throws a MinilabError (machine) if there is neither.
 */
export function planDefault(looked: Set<string>): Plan {
  let plan: Plan | undefined
  for (const path of looked) plan ??= planBusybox(path)
  plan ??= planHostPrograms(looked)
  if (!plan)
    throw new MinilabError(
      'machine',
      'this machine has neither a static busybox nor the programs sh, ls and cat to make a root file system from',
      'install one: apt-get install busybox-static, dnf install busybox, or apk add busybox-static',
    )
  for (const [path, item] of SKELETON) plan.set(path, item)
  return plan
}

/** Plans a static busybox with a link for each of its applets; undefined if `path` is not a static busybox. */
export function planBusybox(path: string): Plan | undefined {
  if (!isReadable(path) || interpreter(path) !== null) return undefined
  const applets =
    spawnSync(path, ['--list'], { encoding: 'utf8', env: {} }).stdout?.split(/\s+/).filter(Boolean) ?? []
  if (!REQUIRED.every(applet => applets.includes(applet))) return undefined
  const plan: Plan = new Map([['/bin/busybox', { copy: path }]])
  for (const applet of applets) if (applet !== 'busybox') plan.set(`/bin/${applet}`, { link: 'busybox' })
  // scripts say #!/usr/bin/env
  plan.set('/sbin', { link: 'bin' }).set('/usr/bin', { link: '../bin' }).set('/usr/sbin', { link: '../bin' })
  return plan
}

/**
 * Plans the host's own programs with the libraries that they need, at the same paths; undefined if the host has not even a
 * shell. Adds to `looked` every path that decided what is taken, including those where nothing was found.
 */
export function planHostPrograms(looked: Set<string>): Plan | undefined {
  const plan: Plan = new Map()
  const found = TOOLS.filter(tool => {
    const path = DIRECTORIES.map(dir => `${dir}/${tool}`).find(candidate => {
      looked.add(candidate)
      return isReadable(candidate)
    })
    return path && planProgram(plan, path)
  })
  if (!REQUIRED.every(tool => found.includes(tool))) return undefined
  for (const dir of DIRECTORIES.filter(existsSync)) plan.set(planHostFile(plan, dir), { dir: 0o755 })
  const terminfo = TERMINFO.flatMap(dir => TERMINALS.map(terminal => `${dir}/${terminal[0]}/${terminal}`))
  for (const file of terminfo.filter(isReadable)) planHostFile(plan, file)
  return plan
}

/** Plans a program with everything that it needs; false if something is missing. */
function planProgram(plan: Plan, path: string): boolean {
  const loader = interpreter(path)
  if (loader === undefined) {
    if (!/^#! *\/bin\/sh\s/.test(readFileSync(path, 'latin1'))) return false
    planHostFile(plan, path)
    return true
  }
  const libraries = loader === null ? [] : listLibraries(loader, path)
  if (!libraries) return false
  for (const file of [path, ...libraries]) planHostFile(plan, file)
  return true
}

/** Plans the libraries of a program, but not the program; false if they cannot be found out. */
export function planLibraries(plan: Plan, path: string): boolean {
  const loader = interpreter(path)
  const libraries = loader ? listLibraries(loader, path) : []
  for (const file of libraries ?? []) planHostFile(plan, file)
  return libraries !== undefined
}

/** The loader and the shared libraries of a program, and the files by which the loader finds them. */
function listLibraries(loader: string, program: string): string[] | undefined {
  // without the cache if possible, because every installation on the host changes the cache
  const libraries = list(loader, ['--inhibit-cache', '--list', program])
  if (libraries) return libraries
  const cached = list(loader, ['--list', program])
  return cached && [...cached, ...['/etc/ld.so.cache'].filter(existsSync)]
}

/** The libraries that the loader itself lists (ld.so(8), --list; musl's has it too): "\tlibc.so.6 => /lib/libc.so.6 (0x00007f…)". */
function list(loader: string, args: string[]): string[] | undefined {
  const { status, stdout } = spawnSync(loader, args, { encoding: 'utf8', env: {} })
  if (status !== 0 || stdout.includes('not found')) return undefined
  const libraries = [...stdout.matchAll(/^\s+(?:.* => )?(\/.*) \(0x[0-9a-f]+\)$/gm)].flatMap(
    ([, path]) => path ?? [],
  )
  // glibc before 2.34 reads /etc/passwd through a library that no program lists
  const nss = libraries
    .filter(path => basename(path) === 'libc.so.6')
    .map(path => join(dirname(path), 'libnss_files.so.2'))
  return [loader, ...libraries, ...nss.filter(existsSync)]
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
