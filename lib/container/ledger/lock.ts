import { constants } from 'node:fs'
import type { Descriptor } from '../../common/descriptor.ts'
import { codeOf } from '../../common/error-code.ts'
import { openLocked } from '../../kernel/process/file-lock.ts'
import { isMachinesRoot } from '../../kernel/process/procfs.ts'

/** A file that only root can open: any process that can open a file, or a namespace, could hold its lock. */
const ROOTS = '/run/minilab.lock'

/**
 * Runs a function while no other minilab process changes the interfaces of our network namespace: flock(2) on a file shared by all
 * processes that may change them, whatever their data folder. For the machine's root it is a file that belongs to root; other users
 * have their own network namespace, and lock the namespace itself.
 */
export function withNetworkLock<T>(task: () => T): T {
  using _ = lock()
  return task()
}

function lock(): Descriptor {
  if (!isMachinesRoot()) return openLocked('/proc/self/ns/net', 'r')
  try {
    return openLocked(ROOTS, constants.O_RDONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
  } catch (error) {
    // a sandbox with read-only files; no other process has its network namespace
    if (codeOf(error) === 'EROFS') return openLocked('/proc/self/ns/net', 'r')
    throw error
  }
}
