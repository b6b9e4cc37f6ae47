import { notedFolder } from '../container/parts/layers.ts'
import { notedCgroup } from '../container/parts/limits.ts'
import type { Container } from '../container/part.ts'
import type { Cgroup } from '../kernel/cgroup/cgroup.ts'

/**
 * Plans a container's cgroup with the controllers memory, cpu, pids and freezer. Returns its directories, one for each
 * hierarchy, which are not made yet. Everything above them is made now, and on v2 the controllers are delegated. The
 * directories are already in the ledger, so they are removed after the container, even after a crash. Throws a MinilabError
 * (limited) if there can be no cgroup.
 */
export function planCgroup(container: Container): Cgroup {
  const { spec, ledger, id } = container
  container.cgroup = notedCgroup(ledger, spec.linux.cgroupsPath ?? `/minilab/${id}`, [], { last: false })
  return container.cgroup
}

/**
 * Makes the folder of a container, `layers.folder`, with access for its owner only. Entered in the ledger first, so it is
 * removed after the container.
 */
export function makeFolder({ layers, ledger }: Container): void {
  if (layers) notedFolder(layers, ledger)
}
