import { fstatSync, statSync } from 'node:fs'
import { openLocked } from '../kernel/process/file-lock.ts'

/**
 * Does something while no other minilab process writes a file: flock(2) on the file itself. Not within another call for the
 * same file, which would wait for itself.
 */
export function withFileLock<T>(path: string, task: () => T): T {
  for (;;) {
    // NFS makes a byte-range lock of it, which needs a file that is open for writing: flock(2), "NFS details"
    using file = openLocked(path, 'r+')
    // the process that had the lock until now may have put another file in the place of the one that we opened
    if (statSync(path).ino === fstatSync(file.fd).ino) return task()
  }
}
