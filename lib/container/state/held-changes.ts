import { dirname } from 'node:path'
import { descriptors, ifReadable, pids } from '../../kernel/process/procfs.ts'
import type { Entry } from '../ledger/ledger-entry.ts'
import { ledgers, ownerLives, parse, writerOf } from '../ledger/ledger.ts'

/** A change on the host, and the process of the running command that will undo it. */
export interface Held {
  entry: Entry
  /** undefined if it is in another pid namespace, which we cannot see */
  pid: number | undefined
  /** the data folder that contains that command's ledger now */
  folder: string
}

const LEDGER = /\/ledger\/\d+-\d+-[0-9a-f]{8}-\d+(-\d+_\d+)?\.jsonl( \(deleted\))?$/

/**
 * The changes that running commands hold. Commands of this data folder are found by their ledgers. The kernel knows the ones that use
 * another data folder, or whose ledger was deleted: a command keeps its ledger open, so it can be read through /proc/<pid>/fd.
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
    // since we listed its descriptors it may have ended, or have become a process that only root may inspect: ptrace(2)
    ...others.flatMap(({ path, ...by }) =>
      (ifReadable(() => parse(path)) ?? []).map(entry => ({ ...by, entry })),
    ),
  ]
}

export interface OpenFile {
  pid: number
  fd: string
  /** its path as the kernel gives it, also of a deleted file */
  target: string
}

/** Every file that a process has open, as far as we may look: an ordinary user may look only at their own processes. */
export function openFiles(): OpenFile[] {
  return pids().flatMap(pid =>
    Object.entries(ifReadable(() => descriptors(pid)) ?? {}).map(([fd, target]) => ({ pid, fd, target })),
  )
}
