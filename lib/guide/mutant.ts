import { isPart, type Part, type PartName } from '../container/part.ts'
import type { Spec } from '../container/spec.ts'
import { Later, type Op, Tape } from '../kernel/tape/tape.ts'
import type { Experiment } from './experiment.ts'
import type { Step } from './step.ts'

/** A known-wrong variant: one wrong way to make what a step teaches. The step's checks must find it and name the misconception. */
export interface Mutant<S = object> {
  name: string
  /** what its author believed or forgot, in a sentence */
  misconception: string
  /** all the checks that it breaks, each with words from its diagnosis that name the misconception */
  breaks: Record<string, string>
  /** makes the wrong variant of the step */
  change(step: Step<S>): Step<S>
  /** why only root sees a difference */
  rootOnly?: string
}

/** The step with one part changed. Parts are found by name, so one part can be changed twice. */
export function changePart<S>(step: Step<S>, name: PartName, change: (part: Part) => Part): Step<S> {
  if (!step.parts.some(part => isPart(part, name))) throw new Error(`step ${step.number} has no part ${name}`)
  return { ...step, parts: step.parts.map(part => (isPart(part, name) ? change(part) : part)) }
}

/** The step without a part. */
export function withoutPart<S>(step: Step<S>, name: PartName): Step<S> {
  return { ...step, parts: step.parts.filter(part => !isPart(part, name)) }
}

/** The step with a part's recorded calls edited. */
export function changeCalls<S>(step: Step<S>, part: PartName, edit: (ops: Op[]) => Op[]): Step<S> {
  return changePart(step, part, right => ({
    ...right,
    inside(tape, container, gate) {
      const before = tape.ops.length
      right.inside?.(tape, container, gate)
      tape.ops.push(...edit(tape.ops.splice(before)))
    },
  }))
}

/** Calls as a part would record them, to insert among its own. */
export function callsOf(part: PartName, record: (tape: Tape) => void): Op[] {
  const tape = new Tape()
  tape.part = part
  record(tape)
  return tape.ops
}

/** The step without some of a part's recorded calls, and without the calls that need their results. */
export function withoutCalls<S>(step: Step<S>, part: PartName, leftOut: (op: Op) => boolean): Step<S> {
  return changeCalls(step, part, ops => {
    const gone = new Set<Op>()
    return ops.filter(op => {
      const needs = op.args.some(arg => arg instanceof Later && gone.has(arg.op))
      if (!needs && !leftOut(op)) return true
      gone.add(op)
      return false
    })
  })
}

/** The step with a changed specification. */
export function changeSpec<S>(step: Step<S>, change: (spec: Spec) => void): Step<S> {
  return { ...step, spec: (spec, experiment) => (step.spec?.(spec, experiment), change(spec)) }
}

/** The step with another experiment in one stage, which is found by its title. */
export function changeAct<S>(
  step: Step<S>,
  title: string,
  act: (experiment: Experiment<S>, right: (experiment: Experiment<S>) => Promise<void>) => Promise<void>,
): Step<S> {
  if (!step.stages.some(stage => stage.title === title))
    throw new Error(`step ${step.number} has no stage "${title}"`)
  return {
    ...step,
    stages: step.stages.map(stage =>
      stage.title === title
        ? { ...stage, act: experiment => act(experiment, async same => stage.act?.(same)) }
        : stage,
    ),
  }
}
