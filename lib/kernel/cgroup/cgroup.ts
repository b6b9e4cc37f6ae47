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

/** How long the kernel may take to freeze or to kill every process of a cgroup, in milliseconds. */
const STATE_TIMEOUT = 5000

/** One directory of a cgroup, and its hierarchy. */
export interface CgroupFolder {
  hierarchy: Hierarchy
  path: string
}

/** The directories that together are "the" cgroup of a container: one on v2, one for each hierarchy on v1. */
export class Cgroup {
  readonly folders: CgroupFolder[]
  /** the changes and writes made for it, to be shown like a tape */
  readonly log: Omit<Replayed, 'part'>[] = []

  constructor(folders: CgroupFolder[]) {
    this.folders = folders
  }

  /** The directory and version of a controller of this cgroup. */
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

  /** Runs a function, and logs it as the system call that it makes. */
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
   * Freezes every process in it, or lets them continue; resolves when the kernel confirms that. Throws a usage error if it
   * takes longer than `timeout` milliseconds, if there is no freezer, or if we would freeze ourselves.
   */
  async freeze(frozen: boolean, timeout = STATE_TIMEOUT): Promise<void> {
    const freezer = this.controller('freezer')
    if (!freezer)
      throw new MinilabError(
        'usage',
        'no mounted cgroup hierarchy can freeze',
        "mount cgroup2, or v1's freezer controller",
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
      `${path} did not ${frozen ? 'freeze' : 'thaw'} within ${timeout} ms`,
      frozen
        ? `a process in it hangs in the kernel: ps -o pid,stat,wchan -p ${members(path).join(',')}`
        : 'a cgroup above it is frozen: thaw that cgroup',
    )
  }
}

const FREEZER = {
  1: { file: 'freezer.state', on: 'FROZEN', off: 'THAWED' },
  2: { file: 'cgroup.freeze', on: '1', off: '0' },
}

/** Waits until the kernel has frozen (or thawed) every process; false if that does not happen in time. */
async function settled(version: 1 | 2, path: string, state: string, timeout: number): Promise<boolean> {
  const events = join(path, 'cgroup.events')
  if (version === 2) return until(() => readControl(events).includes(`frozen ${state}`), timeout, events)
  // cgroup-v1/freezer-subsystem.rst: FREEZING until all are frozen. There is no event for it; each read checks again
  return until(() => readControl(join(path, FREEZER[1].file)) === state, timeout)
}

/** The cgroup that a process is in, whichever process made it: /proc/<pid>/cgroup. */
export function cgroupOf(pid: number): Cgroup {
  return new Cgroup(hierarchies(pid).map(hierarchy => ({ hierarchy, path: hierarchy.own })))
}

/** Whether we are in a cgroup ourselves, or in a descendant of it. */
function holdsUs(path: string): boolean {
  return hierarchies().some(({ own }) => own === path || own.startsWith(path + '/'))
}

/** The processes in one cgroup directory, without those of other pid namespaces, which the kernel lists as 0. */
function members(path: string): number[] {
  return listFile(join(path, 'cgroup.procs')).map(Number).filter(Boolean)
}

/** The purpose of a directory, which decides how it is removed. */
export type CgroupUse =
  /** it holds a container: processes that still run in it, or in cgroups below it, are killed */
  | 'container'
  /** it holds other cgroups of ours: removed when the last of them is gone */
  | 'parent'
  /** it holds ourselves, on v2, so that the cgroup above can hand controllers down: we move back there */
  | 'ourselves'

/** Removes a cgroup directory. True if it existed and is gone; throws a usage error if something in it cannot be removed. */
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
    if (!isGone(error)) throw error // another command has removed it already
  }
  // a process that has just died may still be counted for a moment
  if (await until(() => remove(path), STATE_TIMEOUT)) return true
  throw new MinilabError(
    'usage',
    `${path} cannot be removed: the kernel says that it is in use`,
    'minilab clean',
  )
}

/** rmdir(2); false if it is in use. */
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

/** Kills every process in a cgroup, including those forked while this runs. */
async function empty(path: string): Promise<void> {
  const kill = join(path, 'cgroup.kill') // v2, since Linux 5.14: all at once
  const dead = () => {
    const pids = members(path)
    if (pids.length > 0 && existsSync(kill)) {
      writeControl(kill, '1')
      pids.forEach(thaw) // a process that v1's freezer holds does not die of the signal: cgroup-v1/freezer-subsystem.rst
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
  // the descriptor refers to one fixed process: check that it is still in this cgroup
  if (!members(path).includes(pid)) return
  send(pidfd, 'SIGKILL')
  thaw(pid)
}

/** A frozen process dies only once it is thawed: v1. On v2 it can be killed while frozen. */
export function thaw(pid: number): void {
  try {
    const freezer = hierarchyOf('freezer', hierarchies(pid))
    // for a dead process /proc gives the root of the hierarchy: so check afterwards that it still lives
    if (freezer && processExists(pid)) thawV1(freezer.own)
  } catch (error) {
    if (!isGone(error)) throw error // it has died already
  }
}

/** Whether the cgroup of a process is frozen, or is about to be. */
export function isFrozenProcess(pid: number): boolean {
  const freezer = hierarchyOf('freezer', hierarchies(pid))
  if (!freezer) return false
  const [file, none] = freezer.version === 1 ? [FREEZER[1].file, FREEZER[1].off] : ['cgroup.freeze', '0']
  const path = join(freezer.own, file)
  return existsSync(path) && readControl(path) !== none
}

/** Thaws a cgroup and all below it: v1, where no frozen process dies. */
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

/** Moves every process of a leaf to the cgroup above; false if that cgroup still hands controllers down for others. */
function goBack(leaf: string): boolean {
  if (listFile(join(dirname(leaf), 'cgroup.subtree_control')).length > 0) return false
  move(leaf, dirname(leaf))
  return true
}

/** Moves every process from one cgroup directory to another; a process that ends on the way is skipped. */
export function move(from: string, to: string): void {
  for (const pid of members(from)) {
    try {
      writeControl(join(to, 'cgroup.procs'), String(pid))
    } catch (error) {
      if (!isGone(error)) throw error
    }
  }
}
