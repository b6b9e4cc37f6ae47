import { closeSync, fstatSync, openSync, statSync } from 'node:fs'
import { LOCK_EX } from '../kernel/syscalls/constants.ts'
import { now } from '../kernel/syscalls/now.ts'

/**
 * Does something while no other minilab process writes a file: flock(2) on the file itself. Not within another call for the
 * same file, which would wait for itself. The kernel takes the lock back at our death too.
 */
export function withFileLock<T>(path: string, task: () => T): T {
  for (;;) {
    // NFS makes a byte-range lock of it, which needs a file that is open for writing: flock(2), "NFS details"
    const file = openSync(path, 'r+')
    try {
      now.flock(file, LOCK_EX)
      // whoever had the lock until now may have put another file in the place of the one that we opened
      if (statSync(path).ino === fstatSync(file).ino) return task()
    } finally {
      closeSync(file)
    }
  }
}
