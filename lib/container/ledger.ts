import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { CgroupChange } from '../kernel/make-cgroup.ts'
import { namespaceInode, startTime } from '../kernel/procfs.ts'
import { findProcess } from '../kernel/signal.ts'
import { undo } from './undo.ts'

/** One thing on the host that the kernel does not take back by itself when a container ends. */
export type Entry =
  | CgroupChange
  // `unless`: a file in it with which it may stay, as a container of `minilab run` has once it has started
  | { kind: 'folder'; path: string; unless?: string }
  | { kind: 'process'; pid: number; started: number }
  // what belongs to a network namespace names it by inode: with the namespace the thing is gone too
  | { kind: 'link'; name: string; netns: number }
  // `probe` succeeds while they are there
  | { kind: 'rules'; probe: string[]; remove: string[]; netns: number }
  | { kind: 'sysctl'; path: string; before: string; set: string; netns: number }

/** What was removed, in words: `cgroup /sys/fs/cgroup/pids/minilab/x`. */
export type Removed = string

/**
 * The host-side changes of one command, each written to a file *before* it is made, so that whoever comes next can undo
 * them even after SIGKILL. The file's name says whose it is: pid and start time, which together are never reused.
 */
export class Ledger {
  readonly path: string
  readonly dataFolder: string
  readonly entries: Entry[] = []
  /** stays open while we hold anything: by that the kernel itself tells whose ledgers live (living.ts) */
  #fd: number | undefined

  constructor(dataFolder: string) {
    this.dataFolder = dataFolder
    const folder = join(dataFolder, 'ledger')
    this.path = join(folder, `${process.pid}-${startTime('self')}-${bootId()}-${counter++}.jsonl`)
  }

  /** Notes a change that is about to be made. */
  add(entry: Entry): void {
    if (this.#fd === undefined) {
      mkdirSync(dirname(this.path), { recursive: true })
      this.#fd = openSync(this.path, 'a')
    }
    this.entries.push(entry)
    writeSync(this.#fd, JSON.stringify(entry) + '\n')
  }

  /** Undoes everything, latest first, and forgets it. What another ledger still needs stays. */
  async settle(): Promise<Removed[]> {
    if (this.#fd === undefined) return [] // nothing was noted
    const removed = await settleFile(this.path, this.entries)
    closeSync(this.#fd)
    this.#fd = undefined
    return removed
  }
}

let counter = 0
const bootId = () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8)

/**
 * Undoes what commands left that ended without doing so: killed, or lost in a reboot. What is removed is added to `removed`
 * at once, so that it is known too where a later removal throws.
 */
export async function recover(dataFolder: string, removed: Removed[] = []): Promise<Removed[]> {
  for (const path of ledgers(dataFolder)) {
    if (ownerLives(path)) continue
    // only one of several commands that find this ledger gets to rename it
    const mine = path.replace(/(\.jsonl)?(\.\d+)?$/, `.jsonl.${process.pid}`)
    try {
      renameSync(path, mine)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue
      throw error
    }
    await settleFile(mine, parse(mine), removed)
  }
  return removed
}

async function settleFile(path: string, entries: Entry[], removed: Removed[] = []): Promise<Removed[]> {
  const others = () =>
    ledgers(join(path, '../..'))
      .filter(p => p !== path)
      .flatMap(parse)
  const failures: unknown[] = []
  for (const entry of entries.toReversed()) {
    try {
      const what = await undo(entry, others)
      if (what) removed.push(what)
    } catch (error) {
      failures.push(error) // the others are taken back all the same; the file stays, so the next command tries again
    }
  }
  if (failures.length > 0) throw failures[0]
  rmSync(path, { force: true })
  return removed
}

/** All entries that commands have noted and not taken back yet. */
export function held(dataFolder: string): Entry[] {
  return ledgers(dataFolder).flatMap(parse)
}

/** The files of all ledgers of a data folder. */
export function ledgers(dataFolder: string): string[] {
  const folder = join(dataFolder, 'ledger')
  if (!existsSync(folder)) return []
  return readdirSync(folder).map(name => join(folder, name))
}

/** Whether the command that wrote a ledger, or that is undoing it, still runs. */
export function ownerLives(path: string): boolean {
  const [pid = '', started = '', boot = ''] = path.slice(path.lastIndexOf('/') + 1).split('-')
  if (boot !== bootId()) return false
  // a ledger being settled carries its settler's pid behind a second dot
  const settler = /\.jsonl\.(\d+)$/.exec(path)?.[1]
  const pidfd = settler ? findProcess(Number(settler)) : findProcess(Number(pid), Number(started))
  if (pidfd === undefined) return false
  closeSync(pidfd)
  return true
}

/** The entries of a ledger; none where it is settled by now. */
export function parse(path: string): Entry[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [] // settled meanwhile
    throw error
  }
  // a line cut short by a kill belongs to a change that was not made yet
  return text
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line) as Entry)
}

/** The inode of the network namespace we are in: what a link's entry is bound to. */
export function currentNetns(): number {
  return namespaceInode('self', 'net') ?? 0
}
