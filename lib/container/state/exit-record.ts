import { readFileSync } from 'node:fs'
import { type Exit, exitIn } from '../../kernel/process/child.ts'

/** What a monitor writes when its container has ended: a siginfo_t from waitid(2), and a struct timespec. Sizes in bytes. */
export const INFO = 128
export const TIME = 16
export const EXIT_SIZE = INFO + TIME

/** How and when a container ended, from its exit record; undefined if its monitor has not written that. */
export function readExit(path: string): { exit: Exit; at: Date } | undefined {
  const record = readFileSync(path)
  const exit = record.length >= EXIT_SIZE ? exitIn(record) : undefined
  if (!exit) return undefined
  const [seconds, nanoseconds] = [record.readBigInt64LE(INFO), record.readBigInt64LE(INFO + 8)]
  return { exit, at: new Date(Number(seconds) * 1000 + Number(nanoseconds) / 1e6) }
}
