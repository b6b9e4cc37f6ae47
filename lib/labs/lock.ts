import { fstatSync, statSync } from 'node:fs'
import { openLocked } from '../kernel/process/file-lock.ts'

/**
 * Runs a task while no other minilab process writes a file: flock(2) on the file itself. Do not nest calls for the same file:
 * the inner one would wait for ever.
 */
export function withFileLock<T>(path: string, task: () => T): T {
  for (;;) {
    // on NFS this becomes a byte-range lock, which needs a file open for writing: flock(2), "NFS details"
    using file = openLocked(path, 'r+')
    // the previous owner of the lock may have replaced the file that we opened
    if (statSync(path).ino === fstatSync(file.fd).ino) return task()
  }
}
