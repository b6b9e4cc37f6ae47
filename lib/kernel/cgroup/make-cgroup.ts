import { constants, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { accessRefusal, mayAccess } from '../process/access.ts'
import { Cgroup, type CgroupUse, move } from './cgroup.ts'
import { CORE, hierarchies, type Hierarchy, hierarchyOf, listFile } from './cgroupfs.ts'
import { readControl } from './control-file.ts'
import { MinilabError } from '../../common/errors.ts'
import { mountCommands } from './mount-cgroups.ts'
import { isGone, unlessGone } from '../process/procfs.ts'

/** A change on the host that the kernel does not undo by itself. `enabled` may be empty: others have handed the controllers down already. */
export type CgroupChange =
  | { kind: 'cgroup'; path: string; use: CgroupUse }
  | { kind: 'controllers'; path: string; enabled: string[] }

type Note = (change: CgroupChange) => void

/** Why no cgroup can be made for something, in a sentence, and the remedy. */
export interface Refused {
  reason: string
  remedy: string
}

/** Directories of this name are always ours; several commands may have cgroups in one at the same time. */
const OURS = 'minilab'
/** The leaf that we move into ourselves if v2 requires it. */
const LEAF = 'minilab-self'
/** The leaf for the first process of a sandbox, in the cgroup that contains everything the sandbox does. */
export const SANDBOX_LEAF = 'minilab-sandbox'

/**
 * Where our cgroups go in a hierarchy: in a sandbox, beside the leaf that we were put into; otherwise, for root, below the
 * hierarchy's root, and for others, below our own delegated cgroup.
 */
function base({ mount, own }: Hierarchy): string {
  if (basename(own) === SANDBOX_LEAF) return dirname(own)
  if (isRoot() && writable(mount)) return mount
  return basename(own) === LEAF ? dirname(own) : own
}

/** Every existing cgroup of ours, known by its place and name, in an order in which they can be removed. */
export function ourCgroups(): Extract<CgroupChange, { kind: 'cgroup' }>[] {
  return hierarchies().flatMap(hierarchy => {
    const start = base(hierarchy)
    // another command that is ending may remove it at the same time
    const below = (path: string) => unlessGone(() => readdirSync(path, { withFileTypes: true })) ?? []
    const containers = below(join(start, OURS)).filter(entry => entry.isDirectory())
    const places: [string, CgroupUse][] = [
      ...containers.map(({ name }): [string, CgroupUse] => [join(start, OURS, name), 'container']),
      [join(start, OURS), 'parent'],
      [join(start, LEAF), 'ourselves'],
    ]
    return places.filter(([path]) => existsSync(path)).map(([path, use]) => ({ kind: 'cgroup', path, use }))
  })
}

const isRoot = () => process.getuid?.() === 0

const writable = (folder: string) => mayAccess(folder, constants.W_OK)

/**
 * Plans the directories of a cgroup named `name` for the wanted controllers, without making them. Returns the reason
 * if a controller is not mounted or not delegated to us. `everywhere`: also in the hierarchies without a wanted controller,
 * as far as we may. In each hierarchy a cgroup namespace starts at its first process's cgroup: without one of ours, the machine's root.
 * `fromOurs`: the name counts from the cgroup that we are in.
 */
export function planCgroup(
  name: string,
  controllers: readonly string[],
  { everywhere = false, fromOurs = false } = {},
): Cgroup | Refused {
  const place = (hierarchy: Hierarchy, start: string) =>
    join(fromOurs ? inhabited(hierarchy, start) : start, join('/', name)) // a `..` in it stays below
  const found = hierarchies()
  const folders = new Map<string, { hierarchy: Hierarchy; path: string }>()
  for (const controller of controllers) {
    const hierarchy = hierarchyOf(controller, found)
    if (!hierarchy)
      return {
        reason: `no mounted cgroup hierarchy has the ${controller} controller`,
        remedy: mountCommands(controllers.filter(name => !hierarchyOf(name, found))),
      }
    const start = base(hierarchy)
    const missing = refusal(hierarchy, start, controller)
    if (missing) return missing
    folders.set(start, { hierarchy, path: place(hierarchy, start) })
  }
  for (const hierarchy of everywhere ? found : []) {
    const start = base(hierarchy)
    // a cpuset without CPUs accepts no process, and its children cannot inherit any CPUs from it
    if (!folders.has(start) && writable(start) && !lacksCpus(start))
      folders.set(start, { hierarchy, path: place(hierarchy, start) })
  }
  return new Cgroup([...folders.values()])
}

/**
 * Our own cgroup, or on v2 the one above, as a cgroup that contains processes cannot hand controllers down: where runc puts a cgroup
 * whose path is relative (opencontainers/cgroups, fs/paths.go, fs2/defaultpath.go).
 */
function inhabited({ version, own }: Hierarchy, start: string): string {
  const place = version === 1 || own === start ? own : dirname(own)
  return `${place}/`.startsWith(`${start}/`) ? place : start
}

function refusal({ version, mount }: Hierarchy, start: string, controller: string): Refused | undefined {
  const errno = accessRefusal(start, constants.W_OK)
  // not by our uid: the creator of a user namespace is 0 in it, but not root of the machine
  if (errno === 'EROFS')
    return {
      reason: `${start} is read-only here (cgroup v${version}): we seem to be in a container`,
      remedy: 'run outside the container, or give it writable cgroups (docker: --privileged)',
    }
  if (errno)
    return {
      reason: `the ${controller} controller is not delegated to you: ${start} belongs to root (cgroup v${version})`,
      remedy:
        version === 2
          ? 'systemd-run --user --scope -p Delegate=yes ./minilab …'
          : 'run with sudo: cgroup v1 cannot be delegated safely',
    }
  if (version === 2 && start !== mount && !available(start).includes(controller))
    return {
      reason: `systemd does not delegate the ${controller} controller to you: it is not in ${start}/cgroup.controllers`,
      remedy: 'sudo systemctl edit user@.service, [Service] Delegate=cpu cpuset io memory pids',
    }
  return undefined
}

/** What processes in a v2 cgroup can be limited by: what its parent hands down, and what every cgroup can do. */
function available(folder: string): string[] {
  return [...listFile(join(folder, 'cgroup.controllers')), ...CORE]
}

/**
 * Makes the planned directories, and hands the controllers down to them on v2. `note` is called before each change.
 * With `last: false`, the directories themselves are only recorded, and their user just has to make them.
 */
export function makeCgroup(
  cgroup: Cgroup,
  controllers: readonly string[],
  note: Note,
  { last = true } = {},
): void {
  for (const { hierarchy, path } of cgroup.folders) {
    const wanted = controllers.filter(c => hierarchy.controllers.includes(c))
    // another minilab that is ending may remove the shared parent or its controllers at the same time: then try once more
    const made = [1, 2, 3, 4, 5].some(() => attempt(cgroup, hierarchy, path, wanted, note, last))
    if (!made)
      throw new MinilabError(
        'usage',
        `${path} does not get the controllers ${wanted.join(' ')}`,
        `compare cgroup.controllers and cgroup.subtree_control from there up to ${hierarchy.mount}`,
      )
  }
}

/** True if the directory exists with all its controllers; without `last`, if it will have them. */
function attempt(
  cgroup: Cgroup,
  hierarchy: Hierarchy,
  path: string,
  wanted: string[],
  note: Note,
  last: boolean,
): boolean {
  const start = base(hierarchy)
  const parents: string[] = []
  for (let at = dirname(path); at !== start; at = dirname(at)) parents.unshift(at)
  try {
    // what every v2 cgroup can do by itself need not be handed down
    const handsDown = hierarchy.version === 2 && wanted.some(c => !CORE.includes(c))
    if (handsDown) handDown(cgroup, start, wanted, note)
    for (const parent of parents) {
      const foreign = existsSync(parent) && basename(parent) !== OURS
      if (!foreign) make(cgroup, parent, 'parent', note)
      // what one of our directories hands down disappears with it
      if (handsDown) handDown(cgroup, parent, wanted, foreign ? note : () => {})
    }
    if (!last) note({ kind: 'cgroup', path, use: 'container' })
    else if (!existsSync(path)) make(cgroup, path, 'container', note)
    else inheritCpus(cgroup, path)
    // the parent was made again in the meantime, and had no CPUs yet to inherit
    if (last && lacksCpus(path)) return false
  } catch (error) {
    if (isGone(error)) return false
    throw error
  }
  const given = last ? available(path) : [...listFile(join(dirname(path), 'cgroup.subtree_control')), ...CORE]
  return hierarchy.version === 1 || wanted.every(c => given.includes(c))
}

function make(cgroup: Cgroup, path: string, use: CgroupUse, note: Note): void {
  note({ kind: 'cgroup', path, use })
  if (!existsSync(path))
    cgroup.logged('mkdir', [path], 0, () => mkdirSync(path, { recursive: use !== 'container' }))
  inheritCpus(cgroup, path) // even if another minilab made it at this moment
}

/** cgroup-v1/cpusets.rst: a new cpuset has no CPUs and no memory nodes, and no process may join it in that state. */
function inheritCpus(cgroup: Cgroup, path: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    // on v2, a cpuset.cpus.effective shows that there is nothing to do
    if (!existsSync(join(path, file)) || existsSync(join(path, `${file}.effective`))) continue
    if (readControl(join(path, file)) === '')
      cgroup.write(join(path, file), readControl(join(dirname(path), file)))
  }
}

const lacksCpus = (path: string) =>
  ['cpuset.cpus', 'cpuset.mems'].some(
    file =>
      existsSync(join(path, file)) &&
      !existsSync(join(path, `${file}.effective`)) &&
      readControl(join(path, file)) === '',
  )

/** Enables controllers for the children of a v2 cgroup: cgroups(7), cgroup.subtree_control. */
function handDown(cgroup: Cgroup, folder: string, wanted: string[], note: Note): void {
  leaveForLeaf(folder, note)
  const file = join(folder, 'cgroup.subtree_control')
  const enabled = listFile(file)
  const missing = listFile(join(folder, 'cgroup.controllers')).filter(
    c => wanted.includes(c) && !enabled.includes(c),
  )
  note({ kind: 'controllers', path: file, enabled: missing })
  if (missing.length > 0) cgroup.write(file, missing.map(c => `+${c}`).join(' '))
}

/** cgroups(7), no internal processes: a cgroup that contains our process cannot hand anything down until we have moved to a leaf. */
function leaveForLeaf(folder: string, note: Note): void {
  const leaf = join(folder, LEAF)
  const there = hierarchies().some(({ own }) => own === leaf)
  // the root of the hierarchy, the only cgroup without a type, is exempt from this rule
  const here = existsSync(join(folder, 'cgroup.type')) && hierarchies().some(({ own }) => own === folder)
  if (!there && !here) return
  note({ kind: 'cgroup', path: leaf, use: 'ourselves' })
  if (there) return
  mkdirSync(leaf, { recursive: true })
  move(folder, leaf)
}

/**
 * What another runtime, as root, makes for a cgroupsPath and may leave behind: a directory in each hierarchy, its parent if that
 * is ours, and on v2 controllers handed down at the root.
 */
export function foreignChanges(name: string): CgroupChange[] {
  return hierarchies().flatMap(({ version, mount }): CgroupChange[] => {
    const path = join(mount, name)
    const parent = dirname(path)
    const changes: CgroupChange[] = [{ kind: 'cgroup', path, use: 'container' }]
    if (basename(parent) === OURS) changes.unshift({ kind: 'cgroup', path: parent, use: 'parent' })
    const file = join(mount, 'cgroup.subtree_control')
    const already = listFile(file)
    const enabled = listFile(join(mount, 'cgroup.controllers')).filter(c => !already.includes(c))
    if (version === 2 && isRoot() && enabled.length > 0)
      changes.unshift({ kind: 'controllers', path: file, enabled })
    return changes
  })
}
