import { certain } from '../common/certain.ts'
import { type Container, isPartName, type Part } from '../container/part.ts'
import { nothingMade, recordParts } from '../container/start.ts'
import type { NamespaceType } from '../container/spec.ts'
import { MinilabError } from '../common/errors.ts'
import { Gate } from '../kernel/tape/gate.ts'
import { hint } from '../common/suggest.ts'
import { Tape } from '../kernel/tape/tape.ts'
import { Experiment } from './experiment.ts'
import type { StepMode } from './step-plan.ts'
import { changeSpec, withoutCalls, withoutPart } from './mutant.ts'
import type { Step } from './step.ts'

/** The types of namespaces, also by their names in /proc/<pid>/ns. */
const NAMESPACES: Record<string, NamespaceType> = {
  user: 'user',
  pid: 'pid',
  mount: 'mount',
  mnt: 'mount',
  uts: 'uts',
  ipc: 'ipc',
  network: 'network',
  net: 'network',
  cgroup: 'cgroup',
  time: 'time',
}

/** Without these there is no program, so nothing can be checked. */
const NEEDED = ['process', 'execve']

/** Records what the child of a step's own container would do; makes nothing. `own`: only the calls of its parts. */
export async function recordStep<S>(step: Step<S>, mode: StepMode, own = false): Promise<Tape> {
  return recordDry(step, mode, (parts, container, gate) => {
    if (!own) return recordParts(parts, container, gate).tape
    const tape = new Tape()
    for (const part of parts) part.inside?.(tape, container, gate)
    return tape
  })
}

/** Records something for a step's own container without making it: `record` gets the parts that work here, and the container. */
export async function recordDry<S, T>(
  step: Step<S>,
  mode: StepMode,
  record: (parts: readonly Part[], container: Container, gate: Gate) => T,
): Promise<T> {
  const experiment = new Experiment(step, mode)
  const gate = new Gate()
  try {
    return record(experiment.parts(), nothingMade(await experiment.plan({ dry: true, id: 'dry' })), gate)
  } finally {
    gate.abandon()
    await experiment.close()
  }
}

/**
 * The step without a part, a type of namespace or a system call, given by its name. Throws a usage error with the nearest name
 * if this step does not have it.
 */
export async function leaveOut<S>(step: Step<S>, name: string, options: StepMode): Promise<Step<S>> {
  const tape = await recordStep(step, options, true)
  const parts = step.parts.map(part => part.name).filter(isPartName)
  const calls = [...new Set(tape.ops.map(({ call }) => String(call)))]
  const namespaces = parts.includes('namespaces') ? Object.keys(NAMESPACES) : []
  const all = [...parts, ...calls, ...namespaces].filter(known => !NEEDED.includes(known))
  if (!all.includes(name)) {
    throw new MinilabError(
      'usage',
      `step ${step.number} has no "${name}" that could be left out`,
      hint(name, all, `it has ${[...new Set(all)].join(', ')}`),
    )
  }
  if (isPartName(name) && parts.includes(name)) return withoutPart(step, name)
  if (calls.includes(name)) {
    return parts.reduce((changed, part) => withoutCalls(changed, part, ({ call }) => call === name), step)
  }
  return withoutNamespace(step, certain(NAMESPACES[name]))
}

/** The step without a type of namespace: its container shares ours. */
export function withoutNamespace<S>(step: Step<S>, kind: NamespaceType): Step<S> {
  return changeSpec(step, spec => {
    spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== kind)
    if (kind === 'time') delete spec.linux.timeOffsets
  })
}
