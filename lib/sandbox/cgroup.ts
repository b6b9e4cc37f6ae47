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

/** The cgroup of all that happens in a sandbox. */
export interface SandboxCgroup {
  /** the sandbox's cgroups are made in it; its parent is limited, and cannot be written to in the sandbox */
  around: Cgroup
  /** where the first processes of the sandbox go; the cgroups of its containers are made beside it */
  leaf: Cgroup
}

/**
 * Makes a cgroup for a whole sandbox, and notes it: cgroups are what the kernel does not take back with the sandbox's processes,
 * and with all of them in this one they go, whatever happens. Says why where there can be none.
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
  // cgroups(7), no internal processes: where cgroups are to lie in it, v2 wants processes in leaves only
  return { around, leaf: notedCgroup(ledger, `${name}/inside/${SANDBOX_LEAF}`) }
}

/** Moves a process into a sandbox's cgroup, where there is one. */
export function joinCgroup(cgroup: SandboxCgroup | Refused, pid: number): void {
  if ('leaf' in cgroup) cgroup.leaf.join(pid)
}

/** What is frozen in a sandbox would not die. */
export function thawCgroup(cgroup: SandboxCgroup | Refused): void {
  if ('around' in cgroup) for (const { path } of cgroup.around.folders) thawTree(path)
}

/** Why a sandbox has no cgroup, told to the program in it: from inside it looks as in a container. */
export const NO_CGROUP = new Subject<Refused>('no cgroup')
