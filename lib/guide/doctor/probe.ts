import { otherFolder } from '../../image/other-folder.ts'
import type { Ledger } from '../../container/ledger/ledger.ts'
import type { Surroundings } from './surroundings.ts'

/** Whether something can be had on this machine: whole, in part, or not at all. */
export type Verdict = 'ok' | 'limited' | 'blocked'

/** What was found out about one property of the machine. */
export interface Found {
  ok: Verdict
  found: string
  /** a command, or what to do; where nothing is wrong, none */
  fix?: string | undefined
  /** whether root could have it, which we are not */
  sudo?: boolean
}

/** One property of a machine that decides what it can show. */
export interface Probe {
  id: string
  title: string
  /** ids of the probes that must not be blocked before this can be tried */
  after?: readonly string[]
  look(machine: Machine): Found | Promise<Found>
}

/** Who asks, and where. */
export interface Machine {
  rootless: boolean
  dataFolder: string
  /** the name of what is made for the trials */
  id: string
  /** a folder of that name in the data folder; it goes with the ledger */
  folder: string
  ledger: Ledger
  around: Surroundings
}

export const ok = (found: string): Found => ({ ok: 'ok', found })

/** What helps where another program or person decides what we may do. */
export const OWN_MACHINE = 'use a VM, or give this container all rights: docker run --privileged …'
export const withOtherFolder = () => `${otherFolder()} ./minilab …`
