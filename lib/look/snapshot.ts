import { isAlive, isExiting, startTime } from '../kernel/process/procfs.ts'
import { cgroupOf } from './cgroup.ts'
import { mountsOf } from './mounts.ts'
import { namespacesOf } from './namespaces.ts'
import { networkOf } from './network.ts'
import { processesOf } from './processes.ts'
import { securityOf } from './security.ts'
import type { Snapshot } from './snapshot-shape.ts'

/**
 * Looks at a container, given its first process. Null if that has ended before or meanwhile. Only reads. To see the links, a
 * short-lived child joins the network namespace, because an rtnetlink socket belongs to the namespace in which it was opened.
 */
export async function snapshot(pid: number, name: string): Promise<Snapshot | null> {
  let started = -1
  try {
    started = startTime(pid)
    if (!isAlive(pid, started)) return null
    const processes = processesOf(pid)
    const found: Snapshot = {
      name,
      pid,
      started,
      taken: new Date().toISOString(),
      processes,
      namespaces: namespacesOf(pid, processes),
      mounts: mountsOf(pid),
      cgroup: cgroupOf(pid, processes),
      network: await networkOf(pid),
      security: securityOf(pid),
    }
    return isAlive(pid, started) ? found : null
  } catch (error) {
    // as soon as a process exits, its files are gone or give other errors: EINVAL for mountinfo, ENODEV for a control file, ESRCH for
    // its namespaces
    if (isExiting(pid) || !isAlive(pid, started)) return null
    throw error
  }
}
