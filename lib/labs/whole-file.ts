import { rmSync } from 'node:fs'
import { constants } from 'node:os'
import type { Writable } from 'node:stream'
import { partialOf, replaceFileBy } from '../common/replace-file.ts'
import { fileError } from '../image/error.ts'
import { owner } from './file-owner.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Makes or replaces a file, which appears only when it is complete; after an error or Ctrl-C nothing is left. `fill` writes to
 * the stream, ends it, and resolves when all is written. Throws what `fill` throws, a MinilabError (machine) for lack of room
 * or rights, a usage error for an impossible path.
 */
export async function writeWhole(path: string, fill: (out: Writable) => Promise<void>): Promise<void> {
  const leave = (signal: NodeJS.Signals) => {
    rmSync(partialOf(path), { force: true })
    process.exit(128 + constants.signals[signal])
  }
  for (const signal of SIGNALS) process.once(signal, leave)
  try {
    await replaceFileBy(path, fill, { owner })
  } catch (error) {
    throw fileError(`write ${path}`, error)
  } finally {
    for (const signal of SIGNALS) process.off(signal, leave)
  }
}
