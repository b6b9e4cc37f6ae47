import { writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { certain } from '../common/certain.ts'
import { isKind } from '../common/errors.ts'
import type { Part } from '../container/part.ts'
import { keepRelay } from '../guide/feed.ts'
import { difference } from '../guide/host-state.ts'
import { recordDry } from '../guide/leave-out.ts'
import type { StepMode } from '../guide/step-plan.ts'
import { inWords } from '../guide/refusal.ts'
import { runStep } from '../guide/run-step.ts'
import type { Report, Step } from '../guide/step.ts'
import { surroundings } from '../guide/process-state.ts'
import { ClosedError } from '../kernel/netlink/netlink.ts'
import { type Op, Tape } from '../kernel/tape/tape.ts'
import { type Exercise, partOf, type Exported } from './exercise.ts'
import { given, hostCalls, startOver } from './host-calls.ts'
import { placeIn } from './learners-line.ts'
import { learnersError, type Problem } from './problem.ts'
import type { Recorded } from './align-tapes.ts'
import { forgetRequests, notAwaited } from './requests.ts'
import { STUCK_FILE, TRIAL_FILE } from './trial-files.ts'
import { TRIALS } from './trial-jobs.ts'
import { watch } from './watchdog.ts'
import { asWritten, loadExported } from './learners-code.ts'

/** What to try. */
export interface TrialRequest {
  number: number
  /** the folder with the learner's files */
  folder: string
  rootless: boolean
  /** the earlier chapters whose parts are the learner's; the other parts are ours */
  own: number[]
  /** the wanted checks: nothing after the last of them is run; by default all */
  until?: readonly string[]
  /** whether the same process may run another trial: then this one reports what it changed */
  shared?: boolean
}

/** The results of a trial: what the checks found, or what stopped it. */
interface Trial {
  report?: Report
  problem?: Problem
  /** two tapes each: of the learner's part, and of tasks with their own tape, by task id */
  tapes: Record<string, { yours: Recorded[]; reference: string[] }>
  /** what was done on the host */
  host: string[]
  /** what has changed in the process or its surroundings, so that another trial there would start differently */
  spoiled: string[]
}

export interface TrialOf {
  step: Step
  exercise: Exercise
  /** our solution of this exercise */
  reference: Exported
  earlier: Exercise[]
}

/**
 * Tries learners' code, one trial after the other. Call it in the sandbox, in a process used for nothing else: everything that
 * the code does ends with that process. Each result is written to a file as soon as it is known.
 */
export async function runTrials(of: TrialOf, dataFolder: string): Promise<void> {
  keepRelay()
  watch(join(dataFolder, STUCK_FILE))
  process.execve = () => {
    throw learnersError({
      what: 'process.execve() replaces the process that runs your code, which is minilab',
      remedy: 'the child has to call it: tape.execve',
    })
  }
  const look = () =>
    surroundings({ rules: of.exercise.number >= 6, image: of.exercise.image === 'as the root' })
  // Node loads its type stripper with the first new file, which takes 0.2 s: a sandbox that is prepared in advance does it before
  // the learner saves
  stripTypeScriptTypes('')
  await TRIALS.serve(() => {
    let before: Set<string> | undefined
    return request => {
      if (request.shared) before ??= look()
      return runTrial(request, of, dataFolder, () => (before ? difference(before, look()) : []))
    }
  })
}

/** Makes the chapter's container with the learner's code, and runs the checks. */
async function runTrial(
  request: TrialRequest,
  of: TrialOf,
  dataFolder: string,
  spoiled: () => string[],
): Promise<void> {
  const trial: Trial = { tapes: {}, host: [], spoiled: [] }
  const save = () => writeFileSync(join(dataFolder, TRIAL_FILE), JSON.stringify(trial))
  const { folder } = request
  const stop = (error: unknown, doing: string) => {
    trial.problem = problemOf(error, folder, doing)
    save()
  }
  const thrown = (error: unknown) => {
    if (trial.problem) process.exit(1) // later errors only follow from this one
    // only `attach` uses connections, and closes them at its end
    stop(
      notAwaited() ?? error,
      error instanceof ClosedError ? 'it went on after `attach` had ended' : 'meanwhile',
    )
    process.exit(1)
  }
  const leaving = (status: number) => {
    if (trial.report ?? trial.problem) return
    const at = placeIn(folder, new Error().stack)
    const what = at ? `it ended the process itself, with status ${status}` : 'it awaits what never happens'
    trial.problem = { what, ...(at && { at }), remedy: 'return from the function when its work is done' }
    save()
  }
  process.on('uncaughtException', thrown)
  process.on('exit', leaving)
  startOver()
  forgetRequests()
  try {
    const exported = await loadExported(folder, of.exercise)
    const step = await build(request, of, exported)
    const options: StepMode = { rootless: request.rootless, runtime: 'minilab' }
    // with the same values as the run, so that the tapes match the checks
    const { spec = () => {} } = step
    trial.tapes = await bothTapes({ ...of, step: { ...of.step, spec } }, exported, options)
    const { until } = request
    const wanted = { ask: false, trial: 'lab', ...(until && { until }) }
    trial.report = await runStep(step, { ...options, ...wanted })
    trial.host = hostCalls
      .filter(({ container }) => container === 1)
      .map(({ call, args }) => anonymous(`${call}(${args})`))
    const { refused: stoppedBy } = trial.report
    if (stoppedBy) {
      const { at, remedy } = stoppedBy
      trial.problem = { what: inWords(stoppedBy), ...(at && { at }), remedy }
    }
    save()
  } catch (error) {
    stop(error, 'it failed')
  }
  trial.spoiled = spoiled()
  save()
  process.off('uncaughtException', thrown)
  process.off('exit', leaving)
}

/** A call without what differs in each run: ids of containers, pids, addresses. */
const anonymous = (call: string) =>
  [...given]
    .toSorted(([a], [b]) => b.length - a.length) // `10.44.0.1/24` before `10.44.0.1`
    .reduce((text, [address, name]) => text.replaceAll(address, name), call)
    .replaceAll(/\b[0-9a-f]{6}-\d+\b|(?<=\bmlb-)[0-9a-f]{6}\b/g, '<id>')
    .replaceAll(/\/sys\/fs\/cgroup\/(\w+\/)??(?:\S+\/)?minilab\/<id>\//g, '$1') // `memory/memory.limit_in_bytes`
    .replaceAll(/(cgroup\.procs", "|\/proc\/|pid=?|netns )\d+/g, '$1<pid>')

function problemOf(error: unknown, folder: string, doing: string): Problem {
  const { message, remedy, at } = asWritten(error, folder, doing)
  return { what: message, ...(at && { at }), remedy }
}

/** The step with the learner's parts in place of ours. */
async function build(
  request: TrialRequest,
  { step, exercise, earlier }: TrialOf,
  exported: Exported,
): Promise<Step> {
  let built = step
  const replace = (exercise: Exercise, from: Exported) => {
    for (const [name, kind] of Object.entries(exercise.exports))
      if (typeof kind === 'object')
        built = {
          ...built,
          parts: built.parts.map(part => (part.name === kind.part ? (from[name] as Part) : part)),
        }
  }
  for (const before of earlier)
    if (request.own.includes(before.number)) replace(before, await loadExported(request.folder, before))
  replace(exercise, exported)
  return exercise.build ? exercise.build(built, exported) : built
}

/** Records the learner's tapes and the reference's; makes nothing. Empty if the learner's code throws: the run will report that. */
async function bothTapes(
  { step, exercise, reference }: TrialOf,
  exported: Exported,
  options: StepMode,
): Promise<Trial['tapes']> {
  const tapes: Trial['tapes'] = {}
  const both = async (name: string, record: (tape: Tape, from: Exported) => Names | Promise<Names>) => {
    const [yours, theirs] = [new Tape(), new Tape()]
    try {
      const names = await record(yours, exported)
      const mayFail = ({ min, allowed }: Op) => min < 0n || (allowed ?? []).length > 0
      await record(theirs, reference)
      tapes[name] = {
        yours: yours.print().map((call, i) => {
          const op = certain(yours.ops[i])
          return {
            call: plain(call, names),
            ...(op.at && { at: op.at }),
            ...(mayFail(op) && { mayFail: true }),
          }
        }),
        reference: theirs.print().map(call => plain(call, names)),
      }
    } catch (error) {
      if (!isKind(error, 'refused')) throw error
    }
  }
  const part = partOf(exercise)
  if (part) await both('part', (tape, from) => recordPart(step, from[part] as Part, tape, options))
  for (const { id, record } of exercise.tasks)
    if (record)
      await both(id, (tape, from) => {
        record(tape, from)
        return {}
      })
  return tapes
}

/** Short names for long paths, as the part's author knows them. */
type Names = Record<string, string>

/** The call without positions: `<open_tree #12>` names the place on the tape, but to compare, the call's name is enough. */
function plain(call: string, names: Names): string {
  const named = Object.entries(names).reduce((text, [path, name]) => text.replaceAll(`"${path}"`, name), call)
  return named.replaceAll(/ #\d+>/g, '>')
}

async function recordPart(step: Step, part: Part, tape: Tape, mode: StepMode): Promise<Names> {
  return recordDry(step, mode, (_, container, gate): Names => {
    part.inside?.(tape, container, gate)
    return container.rootfs === '/' ? {} : { [container.rootfs]: 'rootfs' }
  })
}
