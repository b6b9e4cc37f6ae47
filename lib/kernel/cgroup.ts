import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { hierarchies, type Hierarchy, hierarchyOf, listFile } from './cgroupfs.ts'
import { readControl, writeControl } from './control-file.ts'
import { isGone } from './procfs.ts'
import { endProcess } from './signal.ts'

/** Directories that together are "the" cgroup of a container: one on v2, one for each hierarchy on v1. */
export class Cgroup {
  readonly folders: { hierarchy: Hierarchy; path: string }[]

  constructor(folders: { hierarchy: Hierarchy; path: string }[]) {
    this.folders = folders
  }

  /** The directory and version that hold a controller of this cgroup. */
  controller(name: string): { version: 1 | 2; path: string } | undefined {
    const folder = this.folders.find(f => f.hierarchy.controllers.includes(name))
    return folder && { version: folder.hierarchy.version, path: folder.path }
  }

  /** Moves a process in. Throws a SyscallError with the remedy. */
  join(pid: number): void {
    for (const { path } of this.folders) writeControl(join(path, 'cgroup.procs'), String(pid))
  }

  pids(): number[] {
    return [...new Set(this.folders.flatMap(({ path }) => listFile(join(path, 'cgroup.procs')).map(Number)))]
  }

  /** Stops every process in it, or lets them go on; resolves when the kernel says that it is so. */
  async freeze(frozen: boolean): Promise<void> {
    const v1 = this.controller('freezer')
    const folder = this.folders.find(f => f.hierarchy.version === 2)
    if (v1) {
      writeControl(join(v1.path, 'freezer.state'), frozen ? 'FROZEN' : 'THAWED')
      // cgroup-v1/freezer-subsystem.rst: FREEZING until all tasks stopped; v1 has no event for it, but each read looks anew
      while (frozen && readControl(join(v1.path, 'freezer.state')) !== 'FROZEN')
        await new Promise(resolve => setImmediate(resolve))
    } else if (folder) {
      writeControl(join(folder.path, 'cgroup.freeze'), frozen ? '1' : '0')
      while (!readControl(join(folder.path, 'cgroup.events')).includes(`frozen ${frozen ? 1 : 0}`))
        await new Promise(resolve => setImmediate(resolve))
    }
  }
}

/** What a cgroup cannot be made for: said in a sentence, with what would help. */
export interface Refused {
  reason: string
  remedy: string
}

/** Where cgroups of ours go in one hierarchy: below its root for root, below our own delegated cgroup otherwise. */
function base(hierarchy: Hierarchy): string {
  return process.getuid?.() === 0 && writable(hierarchy.mount) ? hierarchy.mount : hierarchy.own
}

function writable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false // access(2) answers only in this way
  }
}

/**
 * Plans the directories of a cgroup named `name` for the wanted controllers, without making them.
 * Says why not where a controller is not mounted or not delegated to us.
 */
export function planCgroup(name: string, controllers: readonly string[]): Cgroup | Refused {
  const found = hierarchies()
  const folders = new Map<string, { hierarchy: Hierarchy; path: string }>()
  for (const controller of controllers) {
    const hierarchy = hierarchyOf(controller, found)
    if (!hierarchy)
      return {
        reason: `no mounted cgroup hierarchy has the ${controller} controller`,
        remedy: `mount cgroup2 on /sys/fs/cgroup, or add ${controller} to the kernel`,
      }
    const start = base(hierarchy)
    if (!writable(start))
      return {
        reason: `the ${controller} controller is not delegated to you: ${start} belongs to root (cgroup v${hierarchy.version})`,
        remedy:
          hierarchy.version === 2
            ? 'systemd-run --user --scope -p Delegate=yes ./minilab …'
            : 'run with sudo: cgroup v1 cannot be delegated safely',
      }
    if (
      hierarchy.version === 2 &&
      start !== hierarchy.mount &&
      !listFile(join(start, 'cgroup.controllers')).includes(controller)
    )
      return {
        reason: `systemd does not delegate the ${controller} controller to you: it is not in ${start}/cgroup.controllers`,
        remedy: 'sudo systemctl edit user@.service, [Service] Delegate=cpu cpuset io memory pids',
      }
    folders.set(start, { hierarchy, path: join(start, name) })
  }
  return new Cgroup([...folders.values()])
}

/** Makes the planned directories, handing the controllers down to them on v2. `note` hears of each change before it is made. */
export function makeCgroup(
  cgroup: Cgroup,
  controllers: readonly string[],
  note: (change: CgroupChange) => void,
): void {
  for (const { hierarchy, path } of cgroup.folders) {
    const parents: string[] = []
    for (let folder = dirname(path); !existsSync(folder); folder = dirname(folder)) parents.unshift(folder)
    for (const parent of parents) make(parent, note)
    if (hierarchy.version === 2) handDown(hierarchy, dirname(path), controllers, note)
    make(path, note)
  }
}

/** A change on the host that the kernel does not take back by itself. */
export type CgroupChange =
  { kind: 'cgroup'; path: string } | { kind: 'controllers'; path: string; enabled: string[] }

function make(path: string, note: (change: CgroupChange) => void): void {
  if (existsSync(path)) return
  note({ kind: 'cgroup', path })
  mkdirSync(path, { recursive: true })
}

/** Enables controllers for the children of `parent` and of all above it: cgroups(7), cgroup.subtree_control. */
function handDown(
  hierarchy: Hierarchy,
  parent: string,
  controllers: readonly string[],
  note: (change: CgroupChange) => void,
): void {
  const start = base(hierarchy)
  if (start === hierarchy.own && start !== hierarchy.mount) leaveForLeaf(start, note)
  const chain: string[] = []
  for (let folder = parent; folder.startsWith(start); folder = dirname(folder)) chain.unshift(folder)
  for (const folder of chain) {
    const file = join(folder, 'cgroup.subtree_control')
    const missing = controllers.filter(c => hierarchy.controllers.includes(c) && !listFile(file).includes(c))
    if (missing.length === 0) continue
    note({ kind: 'controllers', path: file, enabled: missing })
    writeControl(file, missing.map(c => `+${c}`).join(' '))
  }
}

/** cgroups(7), no internal processes: before our own cgroup can hand anything down, we must sit in a leaf of it. */
function leaveForLeaf(own: string, note: (change: CgroupChange) => void): void {
  const leaf = join(own, 'minilab-self')
  make(leaf, note)
  for (const pid of listFile(join(own, 'cgroup.procs'))) writeControl(join(leaf, 'cgroup.procs'), pid)
}

/**
 * Removes a cgroup directory, ending whatever still runs in it. True if it was there.
 * A parent that others use too stays: `onlyIfEmpty`.
 */
export async function removeCgroup(path: string, onlyIfEmpty = false): Promise<boolean> {
  if (!existsSync(path)) return false
  if (onlyIfEmpty && listFile(join(path, 'cgroup.procs')).length > 0) return false
  for (const pid of readFileSync(join(path, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean))
    await endProcess(Number(pid))
  try {
    rmdirSync(path)
    return true
  } catch (error) {
    if (isGone(error)) return false
    if ((error as NodeJS.ErrnoException).code === 'EBUSY' && onlyIfEmpty) return false // it has children
    throw error
  }
}
