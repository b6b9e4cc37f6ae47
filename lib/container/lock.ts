import { closeSync, openSync } from 'node:fs'
import { LOCK_EX } from '../kernel/constants.ts'
import { now } from '../kernel/now.ts'

/**
 * Does something while no other minilab process changes the links of our network namespace: flock(2) on the namespace
 * itself, which all who are in it share, whatever their data folder. The kernel takes the lock back at our death too.
 */
export function withNetworkLock<T>(task: () => T): T {
  const namespace = openSync('/proc/self/ns/net', 'r')
  try {
    now.flock(namespace, LOCK_EX)
    return task()
  } finally {
    closeSync(namespace)
  }
}
