import { otherFolder } from '../../image/other-folder.ts'
import type { Ledger } from '../../container/ledger/ledger.ts'
import type { Surroundings } from './surroundings.ts'

/** Whether something works on this machine: fully, in part, or not at all. */
export type Verdict = 'ok' | 'limited' | 'blocked'

/** What was found out about one property of the machine. */
export interface Found {
  ok: Verdict
  found: string
  /** what to do, usually a command; undefined if nothing is wrong */
  fix?: string | undefined
  /** whether it would work for root, which we are not */
  sudo?: boolean
}

/** One property of a machine that decides what it can show. */
export interface Probe {
  id: string
  title: string
  /** ids of probes that must not be blocked, or this one is not tried */
  after?: readonly string[]
  look(machine: Machine): Found | Promise<Found>
}

/** For whom and where the probes run. */
export interface Machine {
  rootless: boolean
  dataFolder: string
  /** the name of everything that the trials make */
  id: string
  /** a folder of that name in the data folder, removed with the ledger */
  folder: string
  ledger: Ledger
  around: Surroundings
}

export const ok = (found: string): Found => ({ ok: 'ok', found })

/** The advice when another program or person decides what we may do. */
export const OWN_MACHINE = 'use a VM, or give this container all rights: docker run --privileged …'
export const withOtherFolder = () => `${otherFolder()} ./minilab …`
