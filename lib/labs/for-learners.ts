import { notedFolder } from '../container/parts/layers.ts'
import { notedCgroup } from '../container/parts/limits.ts'
import type { Container } from '../container/part.ts'
import type { Cgroup } from '../kernel/cgroup/cgroup.ts'

/**
 * The cgroup that a container is to have, with the controllers memory, cpu, pids and freezer: its directories, each in a
 * hierarchy, which are still to be made. What has to be there before is made now (on v2 the controllers are handed down),
 * and the directories are noted already: with the container they go, whatever happens.
 * Throws a MinilabError (limited) where there can be no cgroup.
 */
export function planCgroup(container: Container): Cgroup {
  const { spec, ledger, id } = container
  container.cgroup = notedCgroup(ledger, spec.linux.cgroupsPath ?? `/minilab/${id}`, [], { last: false })
  return container.cgroup
}

/** Makes the folder of a container, `layers.folder`, which goes with it: noted first, and closed to others. */
export function makeFolder({ layers, ledger }: Container): void {
  if (layers) notedFolder(layers, ledger)
}
