import { isKind } from '../common/errors.ts'
import { type Cgroup, thawTree } from '../kernel/cgroup/cgroup.ts'
import { SANDBOX_LEAF, type Refused } from '../kernel/cgroup/make-cgroup.ts'
import { Subject } from '../kernel/process/handed.ts'
import type { Ledger } from '../container/ledger/ledger.ts'
import { notedCgroup, setLimits } from '../container/parts/limits.ts'
import { randomHex } from '../kernel/process/random.ts'

const MiB = 2 ** 20

/** What all processes of a sandbox may use together. */
export const BOUNDS = { memory: 1024 * MiB, pids: 512 }

/** The cgroups of one sandbox. */
export interface SandboxCgroup {
  /** the sandbox makes its cgroups in here; the limits are on the parent, which the sandbox cannot write to */
  around: Cgroup
  /** where the sandbox's first processes go; its containers' cgroups are made beside it */
  leaf: Cgroup
}

/**
 * Makes a cgroup for a whole sandbox and enters it in the ledger. Returns the reason where none can be made. The kernel ends
 * everything else with the sandbox's last process, but not cgroups: with all of them inside this one, `ledger` can remove them
 * even after a crash.
 */
export function makeSandboxCgroup(ledger: Ledger): SandboxCgroup | Refused {
  try {
    return make(ledger)
  } catch (error) {
    if (isKind(error, 'limited')) return { reason: error.message, remedy: error.remedy }
    throw error
  }
}

function make(ledger: Ledger): SandboxCgroup {
  const name = `/minilab/sandbox-${randomHex(5)}`
  setLimits(notedCgroup(ledger, name), {
    memory: { limit: BOUNDS.memory, swap: BOUNDS.memory },
    pids: { limit: BOUNDS.pids },
  })
  const around = notedCgroup(ledger, `${name}/inside`)
  // cgroups(7), "no internal processes": in v2 a cgroup that has children with controllers may hold no processes itself
  return { around, leaf: notedCgroup(ledger, `${name}/inside/${SANDBOX_LEAF}`) }
}

/** Moves a process into a sandbox's cgroup, where there is one. */
export function joinCgroup(cgroup: SandboxCgroup | Refused, pid: number): void {
  if ('leaf' in cgroup) cgroup.leaf.join(pid)
}

/** Thaws every cgroup of a sandbox: in v1 a frozen process does not die of SIGKILL. */
export function thawCgroup(cgroup: SandboxCgroup | Refused): void {
  if ('around' in cgroup) for (const { path } of cgroup.around.folders) thawTree(path)
}

/** Tells the program in a sandbox why it has no cgroup: from inside it would look as if it were in a container. */
export const NO_CGROUP = new Subject<Refused>('no cgroup')
