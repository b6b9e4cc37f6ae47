import { closing } from '../../common/descriptor.ts'
import { codeOf } from '../../common/error-code.ts'
import { existsSync, readdirSync, rmdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Hierarchy, hierarchies, hierarchyOf, listFile } from './cgroupfs.ts'
import { readControl, writeControl } from './control-file.ts'
import { MinilabError } from '../../common/errors.ts'
import { isGone, processExists } from '../process/procfs.ts'
import { findProcess, send } from '../process/signal.ts'
import type { Replayed } from '../tape/tape.ts'
import { until } from '../../common/until.ts'

/** How long the kernel may take to stop or to end every process of a cgroup, in milliseconds. */
const STATE_TIMEOUT = 5000

/** One directory of a cgroup, and the hierarchy it is in. */
export interface CgroupFolder {
  hierarchy: Hierarchy
  path: string
}

/** Directories that together are "the" cgroup of a container: one on v2, one for each hierarchy on v1. */
export class Cgroup {
  readonly folders: CgroupFolder[]
  /** what was made and written for it, to be shown like a tape */
  readonly log: Omit<Replayed, 'part'>[] = []

  constructor(folders: CgroupFolder[]) {
    this.folders = folders
  }

  /** The directory and version that hold a controller of this cgroup. */
  controller(name: string): { version: 1 | 2; path: string } | undefined {
    const hierarchy = hierarchyOf(
      name,
      this.folders.map(f => f.hierarchy),
    )
    const folder = this.folders.find(f => f.hierarchy === hierarchy)
    return folder && { version: folder.hierarchy.version, path: folder.path }
  }

  /** Writes a value to a control file, and logs it. Throws a SyscallError with the remedy. */
  write(path: string, value: string): void {
    this.logged('write', [path, value], value.length, () => writeControl(path, value))
  }

  /** Does a thing, and logs it as the call that it is. */
  logged(call: string, args: string[], result: number, act: () => void): void {
    const began = process.hrtime.bigint()
    act()
    const ns = Number(process.hrtime.bigint() - began)
    this.log.push({ call, args: args.map(arg => JSON.stringify(arg)).join(', '), result, errno: null, ns })
  }

  /** Moves a process in. Throws a SyscallError with the remedy. */
  join(pid: number): void {
    for (const { path } of this.folders) this.write(join(path, 'cgroup.procs'), String(pid))
  }

  pids(): number[] {
    return [...new Set(this.folders.flatMap(({ path }) => members(path)))]
  }

  /**
   * Stops every process in it, or lets them go on; resolves when the kernel says that it is so. Throws a usage error when it
   * has not come to that after `timeout` milliseconds, and where there is no freezer, or we would stop ourselves.
   */
  async freeze(frozen: boolean, timeout = STATE_TIMEOUT): Promise<void> {
    const freezer = this.controller('freezer')
    if (!freezer)
      throw new MinilabError(
        'usage',
        'no mounted cgroup hierarchy can freeze',
        'mount cgroup2, or v1’s freezer controller',
      )
    const { path, version } = freezer
    if (holdsUs(path))
      throw new MinilabError('usage', `we are in ${path} ourselves`, 'freeze a cgroup that we are not in')
    const { file, on, off } = FREEZER[version]
    const state = frozen ? on : off
    this.write(join(path, file), state)
    if (await settled(version, path, state, timeout)) return
    if (frozen) this.write(join(path, file), off)
    throw new MinilabError(
      'usage',
      `${path} would not ${frozen ? 'freeze' : 'thaw'} within ${timeout} ms`,
      frozen
        ? `a process in it hangs in the kernel: ps -o pid,stat,wchan -p ${members(path).join(',')}`
        : 'a cgroup above it is frozen: thaw that one',
    )
  }
}

const FREEZER = {
  1: { file: 'freezer.state', on: 'FROZEN', off: 'THAWED' },
  2: { file: 'cgroup.freeze', on: '1', off: '0' },
}

/** Waits until the kernel has stopped (or let go) every process; false where it does not come to that. */
async function settled(version: 1 | 2, path: string, state: string, timeout: number): Promise<boolean> {
  const events = join(path, 'cgroup.events')
  if (version === 2) return until(() => readControl(events).includes(`frozen ${state}`), timeout, events)
  // cgroup-v1/freezer-subsystem.rst: FREEZING until all have stopped. There is no event for it; each reading looks anew
  return until(() => readControl(join(path, FREEZER[1].file)) === state, timeout)
}

/** The cgroup that a process is in, whoever made it: /proc/<pid>/cgroup. */
export function cgroupOf(pid: number): Cgroup {
  return new Cgroup(hierarchies(pid).map(hierarchy => ({ hierarchy, path: hierarchy.own })))
}

/** Whether we are in a cgroup ourselves, or in one below it. */
function holdsUs(path: string): boolean {
  return hierarchies().some(({ own }) => own === path || own.startsWith(path + '/'))
}

/** The processes in one cgroup directory; those of other pid namespaces, which the kernel lists as 0, left out. */
function members(path: string): number[] {
  return listFile(join(path, 'cgroup.procs')).map(Number).filter(Boolean)
}

/** What a directory is there for, which decides how it is removed. */
export type CgroupUse =
  /** it holds a container: what still runs in it, or in cgroups below it, is ended */
  | 'container'
  /** it holds cgroups of ours: removed when the last of them is gone */
  | 'parent'
  /** it holds ourselves, on v2, so that the cgroup above can hand controllers down: we go back there */
  | 'ourselves'

/** Removes a cgroup directory. True if it was there and is gone; throws a usage error where something in it does not go. */
export async function removeCgroup(path: string, use: CgroupUse): Promise<boolean> {
  if (!existsSync(path)) return false
  if (use === 'ourselves') return goBack(path) && remove(path)
  if (use === 'parent') return remove(path)
  if (holdsUs(path)) throw new MinilabError('usage', `we are in ${path} ourselves`, 'leave it first')
  try {
    thawV1(path)
    for (const entry of readdirSync(path, { withFileTypes: true }))
      if (entry.isDirectory()) await removeCgroup(join(path, entry.name), use)
    await empty(path)
  } catch (error) {
    if (!isGone(error)) throw error // another command has removed it meanwhile
  }
  // a process that has just died may be counted for a moment longer
  if (await until(() => remove(path), STATE_TIMEOUT)) return true
  throw new MinilabError(
    'usage',
    `${path} cannot be removed: the kernel says that it is in use`,
    'minilab clean',
  )
}

/** rmdir(2); false where it is in use. */
function remove(path: string): boolean {
  try {
    rmdirSync(path)
    return true
  } catch (error) {
    if (isGone(error)) return true
    if (codeOf(error) === 'EBUSY') return false
    throw error
  }
}

/** Ends every process in a cgroup, those too that are being forked meanwhile. */
async function empty(path: string): Promise<void> {
  const kill = join(path, 'cgroup.kill') // v2, from Linux 5.14 on: all at once
  const dead = () => {
    const pids = members(path)
    if (pids.length > 0 && existsSync(kill)) {
      writeControl(kill, '1')
      pids.forEach(thaw) // what v1's freezer holds does not die by that: cgroup-v1/freezer-subsystem.rst
    } else for (const pid of pids) killMember(path, pid)
    return pids.length === 0
  }
  if (await until(dead, STATE_TIMEOUT)) return
  throw new MinilabError(
    'usage',
    `processes in ${path} do not die: ${members(path).join(' ')}`,
    'they hang in the kernel (ps shows D): when they are gone, minilab clean',
  )
}

function killMember(path: string, pid: number): void {
  const pidfd = findProcess(pid)
  if (pidfd === undefined) return
  using _ = closing(pidfd)
  // the descriptor holds on to one process: is it still the one that is in there?
  if (!members(path).includes(pid)) return
  send(pidfd, 'SIGKILL')
  thaw(pid)
}

/** A frozen process dies only once it is thawed: v1. On v2 it can be killed as it is. */
export function thaw(pid: number): void {
  try {
    const freezer = hierarchyOf('freezer', hierarchies(pid))
    // of a dead one /proc says the root of the hierarchy: so we look afterwards whether it still lives
    if (freezer && processExists(pid)) thawV1(freezer.own)
  } catch (error) {
    if (!isGone(error)) throw error // it has died meanwhile
  }
}

/** Whether the cgroup of a process is frozen, or is to be. */
export function isFrozenProcess(pid: number): boolean {
  const freezer = hierarchyOf('freezer', hierarchies(pid))
  if (!freezer) return false
  const [file, none] = freezer.version === 1 ? [FREEZER[1].file, FREEZER[1].off] : ['cgroup.freeze', '0']
  const path = join(freezer.own, file)
  return existsSync(path) && readControl(path) !== none
}

/** Thaws a cgroup and all below it: v1, where nothing frozen dies. */
export function thawTree(path: string): void {
  if (!existsSync(path)) return
  thawV1(path)
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) thawTree(join(path, entry.name))
}

function thawV1(path: string): void {
  const file = join(path, FREEZER[1].file)
  if (existsSync(file)) writeControl(file, FREEZER[1].off)
}

/** Moves every process of a leaf to the cgroup above; false where that one still hands controllers down for others. */
function goBack(leaf: string): boolean {
  if (listFile(join(dirname(leaf), 'cgroup.subtree_control')).length > 0) return false
  move(leaf, dirname(leaf))
  return true
}

/** Moves every process from one cgroup directory to another; one that ends meanwhile does not matter. */
export function move(from: string, to: string): void {
  for (const pid of members(from)) {
    try {
      writeControl(join(to, 'cgroup.procs'), String(pid))
    } catch (error) {
      if (!isGone(error)) throw error
    }
  }
}
