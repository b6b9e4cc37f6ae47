import { closeSync, constants, openSync } from 'node:fs'
import { codeOf } from '../../image/error.ts'
import { LOCK_EX } from '../../kernel/syscalls/constants.ts'
import { now } from '../../kernel/syscalls/now.ts'
import { inFirstUserNamespace } from '../../kernel/process/procfs.ts'

/** What only root can open: a lock on what everybody may open, such as a namespace, everybody can hold. */
const ROOTS = '/run/minilab.lock'

/**
 * Does something while no other minilab process changes the links of our network namespace: flock(2) on what all have in common
 * who may do that, whatever their data folder. For the machine's root that is a file of root's; for others, who have a network
 * namespace of their own, the namespace itself. The kernel takes the lock back at our death, too.
 */
export function withNetworkLock<T>(task: () => T): T {
  const lock = openLock()
  try {
    now.flock(lock, LOCK_EX)
    return task()
  } finally {
    closeSync(lock)
  }
}

function openLock(): number {
  if (process.geteuid?.() !== 0 || !inFirstUserNamespace()) return openSync('/proc/self/ns/net', 'r')
  try {
    return openSync(ROOTS, constants.O_RDONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
  } catch (error) {
    // a machine in miniature, of which all files are read-only, and the network namespace nobody else's
    if (codeOf(error) === 'EROFS') return openSync('/proc/self/ns/net', 'r')
    throw error
  }
}
