import { writeFileSync } from 'node:fs'
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

/** What a trial is about. */
export interface TrialRequest {
  number: number
  /** where the learner's files are */
  folder: string
  rootless: boolean
  /** the chapters before whose parts are to be the learner's, too; the others are ours */
  own: number[]
  /** the checks that are wanted: what comes after them is not run; all, unless given */
  until?: readonly string[]
  /** whether another trial may follow in the same process: then it says what is otherwise than before */
  shared?: boolean
}

/** What became of the learner's code: what the checks found, or what came in between. */
interface Trial {
  report?: Report
  problem?: Problem
  /** what the learner's part records, and what a task does that has its own tape, by its id; beside the reference */
  tapes: Record<string, { yours: Recorded[]; reference: string[] }>
  /** what was done on the host */
  host: string[]
  /** what is otherwise than before, in the process or around it, so that another trial there would not be the same */
  spoiled: string[]
}

export interface TrialOf {
  step: Step
  exercise: Exercise
  /** ours for this exercise */
  reference: Exported
  earlier: Exercise[]
}

/**
 * Tries out what learners wrote, one after the other. To be called in the sandbox, in a process that is there for this alone:
 * whatever that code does, it ends with it. What was found is in a file as soon as it is known.
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
  await TRIALS.serve(() => {
    let before: Set<string> | undefined
    return request => {
      if (request.shared) before ??= look()
      return runTrial(request, of, dataFolder, () => (before ? difference(before, look()) : []))
    }
  })
}

/** Makes the chapter's container with what the learner wrote, and lets the checks look at it. */
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
    if (trial.problem) process.exit(1) // what comes after it comes of it
    // only `attach` has connections, and closes them at its end
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
    // with the same values as in the run, so that what is said of the tapes fits what the checks say
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

/** A call without what is another in each run: ids of containers, pids, addresses. */
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

/** The step, with the learner's parts in the places of ours. */
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

/** The learner's tapes and the reference's, recorded; nothing is made. None where the learner's code throws: the run will say it. */
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

/** What long paths are called by those who write the part. */
type Names = Record<string, string>

/** `<open_tree #12>` says where on the tape; which call it is does for a comparison. */
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
