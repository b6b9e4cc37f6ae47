import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { LOCK_EX } from '../kernel/constants.ts'
import { now } from '../kernel/now.ts'

/** Does something while no other minilab process that asks for the same lock file does: flock(2), given back at our death too. */
export function withLock<T>(path: string, task: () => T): T {
  mkdirSync(dirname(path), { recursive: true })
  const fd = openSync(path, 'w', 0o644)
  try {
    now.flock(fd, LOCK_EX)
    return task()
  } finally {
    closeSync(fd)
  }
}
