import {
  appendFileSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { certain } from '../../common/certain.ts'
import { closing, type Descriptor, openFile } from '../../common/descriptor.ts'
import { makeDir } from '../../image/data-folder.ts'
import { codeOf } from '../../common/error-code.ts'
import { removeTree } from '../../image/tree.ts'
import { openLocked, tryLock } from '../../kernel/process/file-lock.ts'
import { bootId, isAlive, namespaceInode, startTime, unlessGone } from '../../kernel/process/procfs.ts'
import { belongsTo, type Entry, readEntry } from './ledger-entry.ts'
import { undo } from './undo.ts'

/** What was removed, as text: `cgroup /sys/fs/cgroup/pids/minilab/x`. */
export type Removed = string

/**
 * The host-side changes of one command, each written to a file *before* it is made, so that the next command can undo
 * them even after SIGKILL. The file name identifies the owner: pid and start time, which together are never reused.
 */
export class Ledger {
  path: string
  readonly dataFolder: string
  readonly entries: Entry[] = []
  /** stays open while we hold anything, so the kernel can tell which ledgers have a living owner (held-changes.ts) */
  #file: Descriptor | undefined
  #size = 0 // bytes

  constructor(dataFolder: string) {
    this.dataFolder = dataFolder
    this.path = pathFor(dataFolder, process.pid)
  }

  /** Goes on with a ledger that was handed over to this process, and that it inherited as a descriptor. */
  static inherited(path: string, fd: number): Ledger {
    const ledger = new Ledger(join(path, '../..'))
    ledger.path = path
    ledger.entries.push(...parse(path))
    ledger.#file = closing(fd)
    ledger.#size = fstatSync(fd).size
    return ledger
  }

  /** Its open file, with the lock that tells that its owner lives; the file is made if nothing was recorded yet. */
  get fd(): number {
    return (this.#file ??= this.#open()).fd
  }

  /** From here on it belongs to another process, which has a copy of `fd`: its name says so. */
  handOver(pid: number): void {
    const path = pathFor(this.dataFolder, pid)
    renameSync(this.path, path)
    this.path = path
  }

  /** Its new owner settles it. */
  leave(): void {
    this.#close()
  }

  /** Records a change that is about to be made. An entry that cannot be written completely is removed again. */
  add(entry: Entry): void {
    const { fd } = (this.#file ??= this.#open())
    const line = JSON.stringify(entry) + '\n'
    try {
      appendFileSync(fd, line) // write(2) may write only a part when the disk is almost full; this continues
    } catch (error) {
      this.#takeBack()
      throw error
    }
    this.entries.push(entry)
    this.#size += Buffer.byteLength(line)
  }

  /** Locked as long as its owner lives: every pid and time namespace can see that. */
  #open(): Descriptor {
    makeDir(dirname(this.path))
    try {
      return openLocked(this.path, 'a', 0o600) // a process that can open it can hold its lock
    } catch (error) {
      rmSync(this.path, { force: true })
      throw error
    }
  }

  /** Removes a line that was written in part, and the ledger if it has no other line. */
  #takeBack(): void {
    if (this.#size > 0) return ftruncateSync(certain(this.#file).fd, this.#size)
    this.#close()
    rmSync(this.path, { force: true })
  }

  /** Undoes all changes, latest first, and forgets them. What another ledger still needs stays. */
  async settle(): Promise<Removed[]> {
    if (!this.#file) return [] // nothing was recorded
    const removed = await settleFile(this.path, this.entries)
    this.#close()
    this.#size = 0
    this.entries.length = 0
    return removed
  }

  /** The data folder that it lies in now, by the kernel's path of the open file: the folder may have been moved. */
  get place(): string {
    return this.#file ? join(readlinkSync(`/proc/self/fd/${this.#file.fd}`), '../..') : this.dataFolder
  }

  #close(): void {
    this.#file?.[Symbol.dispose]()
    this.#file = undefined
  }
}

/** The file name identifies the owner. */
function pathFor(dataFolder: string, pid: number): string {
  const name = `${pid}-${startTime(pid)}-${bootId()}-${counter++}-${ownNamespaces()}`
  return join(dataFolder, 'ledger', `${name}.jsonl`)
}

let counter = 0 // part of the file name: tells the ledgers of one process apart

/**
 * Undoes the changes of commands that ended without doing so: killed, or lost in a reboot. Each removed item is added to `removed`
 * at once, so it is known even if a later removal throws. With `failed`, that function receives the error instead; the next command
 * tries again.
 */
export async function recover(
  dataFolder: string,
  removed: Removed[] = [],
  failed?: (error: unknown) => void,
): Promise<Removed[]> {
  for (const path of ledgers(dataFolder)) {
    if (ownerLives(path)) continue
    const mine = path.replace(/\.jsonl.*$/, `.jsonl.${process.pid}-${startTime('self')}`)
    // if several commands find this ledger, only one succeeds in renaming it
    if (!unlessGone(() => (renameSync(path, mine), true))) continue
    using file = openToLock(mine)
    if (file) tryLock(file.fd)
    const { entries, damaged } = read(mine)
    const ours = entries.filter(entry => belongsTo(entry, dataFolder))
    // after a reboot only files can be left: a pid, an interface or a setting now belongs to something else
    const there =
      bootOf(path) === bootId() ? ours : ours.filter(({ kind }) => ['folder', 'file'].includes(kind))
    await settleFile(mine, there, removed).catch((error: unknown) => {
      if (!failed) throw error
      failed(error)
    })
    const lost = damaged + entries.length - ours.length
    if (lost > 0) removed.push(`ledger ${path}, with ${lost} damaged ${lost === 1 ? 'line' : 'lines'}`)
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
      failures.push(error) // the rest is undone all the same; the file stays, so the next command tries again
    }
  }
  if (failures.length > 0) throw failures[0]
  removeTree(path)
  return removed
}

/** All entries that commands have recorded and not undone yet. */
export function held(dataFolder: string): Entry[] {
  return ledgers(dataFolder).flatMap(parse)
}

/** The changes recorded by running commands of this data folder; a ledger that another command is undoing is not theirs any more. */
export const heldByOwners = (dataFolder: string): Entry[] =>
  ledgers(dataFolder)
    .filter(path => path.endsWith('.jsonl') && ownerLives(path))
    .flatMap(parse)

/** The files of all ledgers of a data folder. */
export function ledgers(dataFolder: string): string[] {
  const folder = join(dataFolder, 'ledger')
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter(name => LEDGER.test(name))
    .map(name => join(folder, name))
}

/**
 * pid, start time, beginning of the boot id, count, and the namespaces in which pid and start time count; while another command
 * undoes it, also that command's pid and start time
 */
const LEDGER = /^\d+-\d+-[0-9a-f]{8}-\d+(-\d+_\d+)?\.jsonl(\.\d+-\d+)?$/

/** A pid is a different number in another pid namespace, and a start time in another time namespace. */
const ownNamespaces = () => `${namespaceInode('self', 'pid') ?? 0}_${namespaceInode('self', 'time') ?? 0}`

/** The pid of the command that wrote a ledger; undefined if that command is in another pid or time namespace. */
export function writerOf(path: string): number | undefined {
  const [, pid = '', namespaces] = /(\d+)-\d+-[0-9a-f]+-\d+-?(\d+_\d+)?\.jsonl/.exec(basename(path)) ?? []
  return namespaces === undefined || namespaces === ownNamespaces() ? Number(pid) : undefined
}

const bootOf = (path: string) => basename(path).split('-')[2]

/** A ledger; undefined if it is gone, or is something that cannot be locked: a named pipe, a link. */
function openToLock(path: string): Descriptor | undefined {
  try {
    return openFile(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW)
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'ENXIO', 'EACCES'].includes(codeOf(error) ?? '')) return undefined
    throw error
  }
}

function isLocked(path: string): boolean {
  using file = openToLock(path)
  return file !== undefined && !tryLock(file.fd)
}

/**
 * Whether the command that wrote a ledger, or that is undoing it, still runs. From other namespaces only the lock tells. In
 * ours the pid does, and without delay: a child of a killed command may hold the lock a moment longer.
 */
export function ownerLives(path: string): boolean {
  if (bootOf(path) !== bootId()) return false
  // while a ledger is undone, the name of that process follows a second dot
  const [, pid = '', started = '', namespaces] =
    /(\d+)-(\d+)-[0-9a-f]+-\d+-?(\d+_\d+)?\.jsonl$/.exec(path) ?? []
  const settler = /\.jsonl\.(\d+)-(\d+)$/.exec(path)
  if (settler) return isAlive(Number(settler[1]), Number(settler[2])) || isLocked(path)
  return namespaces === undefined || namespaces === ownNamespaces()
    ? isAlive(Number(pid), Number(started))
    : isLocked(path)
}

/** The entries of a ledger; none if it has been undone since. */
export function parse(path: string): Entry[] {
  return read(path).entries
}

const MAX_SIZE = 2 ** 26 // bytes: no command writes that many entries

/** The entries of a ledger, and how many of its lines are damaged. */
function read(path: string): { entries: Entry[]; damaged: number } {
  let text = ''
  try {
    const stat = statSync(path)
    if (stat.isFile() && stat.size < MAX_SIZE) text = readFileSync(path, 'utf8')
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error // undone since we listed it
  }
  // a line cut short by a kill belongs to a change that was not made yet
  const lines = text.split('\n').slice(0, -1)
  const entries = lines.flatMap(line => readEntry(line) ?? [])
  return { entries, damaged: lines.length - entries.length }
}

/** The inode of our network namespace: an interface's entry is bound to it. */
export function currentNetns(): number {
  return namespaceInode('self', 'net') ?? 0
}
