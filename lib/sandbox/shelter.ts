import { randomBytes } from 'node:crypto'
import { isKind } from '../common/errors.ts'
import type { Cgroup } from '../kernel/cgroup/cgroup.ts'
import { BENCH_LEAF, type Refused } from '../kernel/cgroup/make-cgroup.ts'
import type { Ledger } from '../container/ledger/ledger.ts'
import { notedCgroup, setLimits } from '../container/parts/limits.ts'

const MiB = 2 ** 20

/** What all processes of a bench may use together. */
export const BOUNDS = { memory: 1024 * MiB, pids: 512 }

/** The cgroup around all that happens on a bench. */
export interface Shelter {
  /** it is limited, and the bench's cgroups are made below it */
  around: Cgroup
  /** where the first processes of the bench go; the cgroups of its containers are made beside it */
  leaf: Cgroup
}

/**
 * Makes a cgroup for a whole bench, and notes it: cgroups are what the kernel does not take back with the bench's processes,
 * and with all of them in this one they go, whatever happens. Says why where there can be none.
 */
export function makeShelter(ledger: Ledger): Shelter | Refused {
  try {
    return make(ledger)
  } catch (error) {
    if (isKind(error, 'limited')) return { reason: error.message, remedy: error.remedy }
    throw error
  }
}

function make(ledger: Ledger): Shelter {
  const name = `/minilab/bench-${randomBytes(6).toString('hex')}`
  const around = notedCgroup(ledger, name)
  setLimits(around, {
    memory: { limit: BOUNDS.memory, swap: BOUNDS.memory },
    pids: { limit: BOUNDS.pids },
  })
  // cgroups(7), no internal processes: where cgroups are to lie in it, v2 wants processes in leaves only
  return { around, leaf: notedCgroup(ledger, `${name}/${BENCH_LEAF}`) }
}

const UNSHELTERED = 'MINILAB_UNSHELTERED'

/** What tells a program on the bench that it has no shelter, and why: there it looks as in a container. */
export const unshelteredEnv = (refused: Refused) => ({ [UNSHELTERED]: JSON.stringify(refused) })

/** On a bench without a shelter, why there is none. */
export function unsheltered(): Refused | undefined {
  const told = process.env[UNSHELTERED]
  return told === undefined ? undefined : (JSON.parse(told) as Refused)
}
