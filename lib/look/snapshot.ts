import { isAlive, startTime } from '../kernel/process/procfs.ts'
import { cgroupOf } from './cgroup.ts'
import { mountsOf } from './mounts.ts'
import { namespacesOf } from './namespaces.ts'
import { networkOf } from './network.ts'
import { processesOf } from './processes.ts'
import { securityOf } from './security.ts'
import type { Snapshot } from './snapshot-shape.ts'

/**
 * Looks at a container by its first process. Null where that has ended, before or meanwhile. It only reads; to see the
 * links it sends a child for a moment into the network namespace (rtnetlink sockets belong to where they were opened).
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
    // the files of a process that has ended are gone, or say something else: mountinfo EINVAL, a control file ENODEV
    if (!isAlive(pid, started)) return null
    throw error
  }
}
