import { constants } from 'node:fs'
import type { Descriptor } from '../../common/descriptor.ts'
import { codeOf } from '../../common/error-code.ts'
import { openLocked } from '../../kernel/process/file-lock.ts'
import { inFirstUserNamespace } from '../../kernel/process/procfs.ts'

/** What only root can open: a lock on what everybody may open, such as a namespace, everybody can hold. */
const ROOTS = '/run/minilab.lock'

/**
 * Does something while no other minilab process changes the links of our network namespace: flock(2) on what all have in common
 * who may do that, whatever their data folder. For the machine's root that is a file of root's; for others, who have a network
 * namespace of their own, the namespace itself.
 */
export function withNetworkLock<T>(task: () => T): T {
  using _ = lock()
  return task()
}

function lock(): Descriptor {
  if (process.geteuid?.() !== 0 || !inFirstUserNamespace()) return openLocked('/proc/self/ns/net', 'r')
  try {
    return openLocked(ROOTS, constants.O_RDONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
  } catch (error) {
    // a sandbox whose files are read-only; no other process has its network namespace
    if (codeOf(error) === 'EROFS') return openLocked('/proc/self/ns/net', 'r')
    throw error
  }
}
