import type { Measured } from '../../chapters/4-limits/experiments.ts'
import { bandwidth } from '../../chapters/4-limits/readings.ts'
import type { ResourcesSpec } from '../../lib/container/spec.ts'
import { finding, notHere, seen } from '../../lib/guide/evidence.ts'
import type { Lab } from '../../lib/guide/lab.ts'
import { inWords, refusalOf } from '../../lib/guide/refusal.ts'
import type { Finding, Stage } from '../../lib/guide/step.ts'
import { type readings, readCgroup } from '../../lib/kernel/cgroupfs.ts'

const random = (from: number, to: number) => from + Math.floor(Math.random() * (to - from))

/** Limits that no other container has; each specification leaves out what the other one has. */
const makeLimits = () => ({
  memory: random(40, 60) * 2 ** 20, // bytes
  pids: random(40, 90),
  quota: random(30, 90) * 1000, // microseconds
  period: random(100, 200) * 1000,
})
type Limits = ReturnType<typeof makeLimits>

/** What became of one of the two containers: what its files hold, or why it was not made. */
interface Made {
  values: Record<string, string | number>
  refused?: string
}

const CONTAINERS: Record<'memoryAndPids' | 'cpu', (limits: Limits) => ResourcesSpec> = {
  memoryAndPids: ({ memory, pids }) => ({ memory: { limit: memory }, pids: { limit: pids } }),
  cpu: ({ quota, period }) => ({ cpu: { quota, period } }),
}

async function make(lab: Lab<Measured>, resources: ResourcesSpec): Promise<Made> {
  const limited = Object.keys(resources).join(' and ')
  try {
    const { pid } = await lab.another(`a container that has a limit of ${limited} only`, {
      change: ({ spec }) => void (spec.linux.resources = resources),
    })
    const value = (what: keyof typeof readings) => readCgroup(pid, what)?.value ?? 'no such file'
    const { quota, period } = bandwidth(pid)
    return { values: { memory: value('memoryLimit'), pids: value('pidsLimit'), cpu: `${quota} ${period}` } }
  } catch (error) {
    const refusal = refusalOf(error)
    if (!refusal) throw error
    return { values: {}, refused: inWords(refusal) }
  }
}

/**
 * Two more containers, with limits that are other numbers each time. The one has no limit of the processor, the other has
 * nothing but that.
 */
export function otherLimitsStage(): Stage<Measured> {
  const limits = makeLimits()
  const made: Partial<Record<keyof typeof CONTAINERS, Made>> = {}
  const compare = (
    what: string,
    { values, refused } = made.memoryAndPids!,
    wanted: string | number,
  ): Finding =>
    refused === undefined
      ? finding(
          values[what] === String(wanted),
          seen(`the limit of ${what} of another container`, null, values[what] ?? 'none'),
          `Another container asks for ${wanted}, and its cgroup has ${values[what]}: the number is to be taken from spec.linux.resources.`,
        )
      : notHere('the other container was not made')
  const absent = (names: string, refused: string) =>
    finding(
      false,
      [],
      `A container whose specification has no ${names} was not made. ${refused.replace(/\.$/, '')}. What is not in the specification is not limited.`,
    )
  return {
    title: 'Other limits, and none',
    async act(lab) {
      if (lab.refused) lab.limit(lab.refused.reason, lab.refused.remedy)
      made.memoryAndPids = await make(lab, CONTAINERS.memoryAndPids(limits))
      made.cpu = await make(lab, CONTAINERS.cpu(limits))
    },
    checks: [
      {
        id: 'other-memory',
        claim: 'another container has the limit of memory that it asks for',
        look: () => compare('memory', made.memoryAndPids, limits.memory),
      },
      {
        id: 'other-cpu',
        claim: 'another container has the quota that it asks for; one that asks for none has none',
        look: () =>
          made.memoryAndPids?.refused === undefined
            ? compare('cpu', made.cpu, `${limits.quota} ${limits.period}`)
            : absent('cpu', made.memoryAndPids.refused),
      },
      {
        id: 'other-pids',
        claim:
          'another container has the limit of processes that it asks for; one that asks for none has none',
        look: () =>
          made.cpu?.refused === undefined
            ? compare('pids', made.memoryAndPids, limits.pids)
            : absent('memory and no pids', made.cpu.refused),
      },
    ],
  }
}
