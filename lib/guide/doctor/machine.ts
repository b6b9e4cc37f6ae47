import { join } from 'node:path'
import { Ledger } from '../../container/ledger/ledger.ts'
import { containerProbes } from './container-probes.ts'
import { networkProbes } from './network-probes.ts'
import { placeProbes } from './place-probes.ts'
import type { Found, Machine, Probe } from './probe.ts'
import { surroundings } from './surroundings.ts'
import { randomHex } from '../../kernel/process/random.ts'

/** A probe's answer. `untried`: another problem must be solved first. */
export interface Probed extends Found {
  id: string
  title: string
  untried?: boolean
}

/** The probes in the order in which they are printed. */
const ORDER = [
  ...['kernel', 'nested', 'disk', 'programs'],
  ...[
    'hidepid',
    'user-namespaces',
    'namespaces',
    'root',
    'image-root',
    'cgroups',
    'overlay',
    'links',
    'nat',
    'forwarding',
    'hardening',
  ],
]

/** Runs all probes, and removes what they made. */
export async function lookAtMachine(rootless: boolean, dataFolder: string): Promise<Probed[]> {
  const id = `doctor-${randomHex(3)}`
  const ledger = new Ledger(dataFolder)
  const folder = join(dataFolder, 'containers', id)
  const machine: Machine = { rootless, dataFolder, id, folder, ledger, around: surroundings() }
  const probed: Probed[] = []
  try {
    for (const probe of inOrder()) probed.push(await look(probe, machine, probed))
  } finally {
    await ledger.settle()
  }
  return probed
}

function inOrder(): Probe[] {
  const all = [...containerProbes, ...networkProbes, ...placeProbes]
  return ORDER.flatMap(id => all.filter(probe => probe.id === id))
}

async function look(
  { id, title, after = [], look }: Probe,
  machine: Machine,
  earlier: Probed[],
): Promise<Probed> {
  const first = earlier.find(other => after.includes(other.id) && other.ok === 'blocked')
  if (first) return { id, title, ok: 'blocked', found: `not tried: ${first.title} first`, untried: true }
  return { id, title, ...(await look(machine)) }
}
