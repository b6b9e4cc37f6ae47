import { dirname } from 'node:path'
import { descriptors, ifReadable, pids } from '../../kernel/process/procfs.ts'
import type { Entry } from '../ledger/ledger-entry.ts'
import { ledgers, ownerLives, parse, writerOf } from '../ledger/ledger.ts'

/** A change on the host, and the process of the running command that will take it back. */
export interface Held {
  entry: Entry
  /** undefined where it is in another pid namespace, in which we cannot see it */
  pid: number | undefined
  /** the data folder in which that command's ledger is by now */
  folder: string
}

const LEDGER = /\/ledger\/\d+-\d+-[0-9a-f]{8}-\d+(-\d+_\d+)?\.jsonl( \(deleted\))?$/

/**
 * What running commands hold. Those of this data folder are found by their ledgers. Those that use another, or whose
 * ledger was deleted, the kernel knows: a command keeps its ledger open, and through /proc/<pid>/fd it can be read.
 */
export function heldByLiving(dataFolder: string, open = openFiles()): Held[] {
  const own = ledgers(dataFolder)
    .filter(ownerLives)
    .map(path => ({ pid: writerOf(path), path, folder: dataFolder }))
  const others = open
    .filter(({ target }) => LEDGER.test(target))
    .map(({ pid, fd, target }) => ({
      pid,
      path: `/proc/${pid}/fd/${fd}`,
      folder: dirname(dirname(target)),
    }))
  return [
    ...own.flatMap(({ path, ...by }) => parse(path).map(entry => ({ ...by, entry }))),
    // between our look at its descriptors and now it may have ended, or become one that only root may look at: ptrace(2)
    ...others.flatMap(({ path, ...by }) =>
      (ifReadable(() => parse(path)) ?? []).map(entry => ({ ...by, entry })),
    ),
  ]
}

export interface OpenFile {
  pid: number
  fd: string
  /** what the kernel says that it is: a path, also of a deleted file */
  target: string
}

/** Every file that a process has open, as far as we may look: an ordinary user only at their own processes. */
export function openFiles(): OpenFile[] {
  return pids().flatMap(pid =>
    Object.entries(ifReadable(() => descriptors(pid)) ?? {}).map(([fd, target]) => ({ pid, fd, target })),
  )
}
