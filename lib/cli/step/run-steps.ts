import { certain } from '../../common/certain.ts'
import { runInSandbox } from '../../sandbox/start.ts'
import type { Sandbox } from '../../sandbox/sandbox.ts'
import { dataFolder } from '../../image/data-folder.ts'
import { Subject, type Told } from '../../kernel/process/handed.ts'
import { shellStatus } from '../../kernel/process/child.ts'
import { MinilabError } from '../../common/errors.ts'
import { Experiment } from '../../guide/experiment.ts'
import { recordStep } from '../../guide/leave-out.ts'
import { Presenter } from '../../guide/present.ts'
import { inkFor, widthFor } from '../../guide/printer.ts'
import { runStep } from '../../guide/run-step.ts'
import { imageUse, makeDataCopy } from '../../guide/data-copy.ts'
import { findRuntime, specFor } from '../../guide/runtime.ts'
import type { StepMode } from '../../guide/step-plan.ts'
import type { Step } from '../../guide/step.ts'
import { type Launch, noteTimeline, type Timeline } from '../../guide/timeline.ts'
import { waterfall } from '../../guide/waterfall.ts'
import { ourselves } from '../../common/ourselves.ts'
import { EXIT } from '../exit.ts'
import { isRootless } from '../rootless.ts'
import { mayAsk, type StepFlags } from './step.ts'
import { steps } from '../steps.ts'
import { STDOUT, traceTo } from './trace-file.ts'

/** The first step whose host side needs rights over network links: without root it runs in the sandbox. */
export const NEEDS_SANDBOX = 6
/** In the sandbox: the flags of the step. */
const STEP = new Subject<StepFlags>('step')
const OTHER_RUNTIME = [2, 3, 4, 7]

/** Runs steps one after the other; resolves to the exit status of the worst. */
export async function runSteps(numbers: number[], command: string[], typed: StepFlags): Promise<number> {
  const flags = STEP.told ?? typed
  const rootless = isRootless(flags.rootless)
  if (flags.runtime !== 'minilab' && numbers.some(n => !OTHER_RUNTIME.includes(n)))
    throw new MinilabError(
      'usage',
      `--runtime ${flags.runtime} goes with steps ${OTHER_RUNTIME.join(', ')}`,
      'leave it out for the others',
    )
  if (flags.trace !== undefined || flags.waterfall) expectTimes(numbers, flags)
  if (flags.pace && (flags.dryRun || flags.spec))
    throw new MinilabError('usage', '--pace slows a step that runs', 'leave out --dry-run and --spec')
  if (flags.oci) refuseWithOci(numbers, command, flags)
  const wrong = flags.mutant !== undefined || flags.without !== undefined
  if (wrong) return runWrong(numbers, command, flags, rootless)
  const quiet = (flags.json ?? false) || flags.trace === STDOUT
  let worst: number = EXIT.ok
  for (const number of numbers) {
    const step: Step = flags.oci ? await loadOci() : await certain(steps[number - 1]).load()
    const presenter = new Presenter({ plain: flags.plain ?? false, quiet })
    const runtime = flags.runtime === 'minilab' ? 'minilab' : findRuntime(flags.runtime)
    const options = { rootless, runtime }
    const file = traceTo(flags.trace)
    try {
      if (flags.spec) await showSpec(step, options)
      else if (flags.dryRun) await showCalls(step, options, flags)
      else if (rootless && number >= NEEDS_SANDBOX && !process.env.MINILAB_SANDBOX)
        worst = Math.max(
          worst,
          await inSandbox({ kind: 'network' }, number, command, flags, rootless, file?.forSandbox()),
        )
      else if (runtime !== 'minilab' && !rootless && STEP.told === undefined)
        // an engine's work on the host, such as the mount of an overlay, ends with us
        worst = Math.max(worst, await inSandbox({ kind: 'mounts' }, number, command, flags, rootless))
      else {
        const { hear, timeline } = noteTimeline(step)
        const report = await runStep(step, {
          ...options,
          ask: mayAsk(flags),
          command,
          keep: flags.keep ?? false,
          pace: flags.pace ?? 0,
          quiet,
          listeners: [presenter.hear, hear],
        })
        if (flags.waterfall && timeline.own) drawWaterfall(timeline.own, timeline, presenter, flags)
        file?.write(timeline)
        if (flags.json) process.stdout.write(JSON.stringify(report) + '\n')
        if (!report.ok) worst = Math.max(worst, EXIT.failed)
        if (report.predictions.length > 0) (await import('./keep-predictions.ts')).keepPredictions(report)
      }
    } finally {
      file?.close()
    }
    if (file?.path && !quiet)
      presenter.line(`   ${file.path} is the trace: open it in https://ui.perfetto.dev or chrome://tracing\n`)
  }
  return worst
}

const loadOci = async () => (await import('../../../chapters/7-run/oci-step.ts')).step as Step

/** The commands of minilab-oci make their container in their own way. Throws a usage error for flags that change that. */
function refuseWithOci(numbers: number[], command: string[], flags: StepFlags): void {
  const { runtime, mutant, without, dryRun, spec, trace, waterfall } = flags
  const others = [mutant, without, trace, dryRun, spec, waterfall].some(Boolean)
  if (numbers.length !== 1 || numbers[0] !== 7)
    throw new MinilabError('usage', '--oci goes with step 7', 'minilab step 7 --oci')
  if (others || runtime !== 'minilab' || command.length > 0)
    throw new MinilabError(
      'usage',
      '--oci goes with --yes, --json, --plain, --pace and --rootless',
      'leave out all other options',
    )
}

/** Whether there are times for `--trace` and `--waterfall`. Throws a usage error if not. */
function expectTimes(numbers: number[], flags: StepFlags): void {
  if (flags.dryRun || flags.spec)
    throw new MinilabError(
      'usage',
      '--trace and --waterfall need a step that runs',
      'leave out --dry-run and --spec',
    )
  if (flags.runtime !== 'minilab' || flags.mutant !== undefined || flags.without !== undefined)
    throw new MinilabError(
      'usage',
      '--trace and --waterfall show only the standard step',
      'leave out --runtime, --mutant and --without',
    )
  if (flags.trace !== undefined && numbers.length > 1)
    throw new MinilabError('usage', 'a trace covers one step', 'name the step: minilab step 3 --trace FILE')
  if (flags.json && flags.trace === STDOUT)
    throw new MinilabError('usage', '--json and --trace - both write to stdout', 'name a file for --trace')
  if (flags.waterfall && (flags.json || flags.trace === STDOUT))
    throw new MinilabError(
      'usage',
      '--waterfall draws in the terminal',
      'leave out --json, or name a file for --trace',
    )
}

function drawWaterfall(
  own: Launch,
  timeline: Timeline,
  presenter: Presenter,
  { plain = false }: StepFlags,
): void {
  const lines = waterfall({ ...timeline, own }, { width: widthFor(plain), ink: inkFor(plain) })
  for (const line of [...lines, '']) presenter.line(line)
}

/** Runs a known-wrong variant of a step in the sandbox. Resolves to the exit status. */
async function runWrong(
  numbers: number[],
  command: string[],
  flags: StepFlags,
  rootless: boolean,
): Promise<number> {
  const [number = 0, ...more] = numbers
  if (more.length > 0)
    throw new MinilabError(
      'usage',
      'a mutant belongs to one step',
      'name the step: minilab step 3 --mutant chroot',
    )
  if (
    flags.runtime !== 'minilab' ||
    flags.keep ||
    flags.pace ||
    flags.spec ||
    flags.dryRun ||
    command.length > 0
  )
    throw new MinilabError(
      'usage',
      '--mutant and --without go with --yes, --json, --plain, --rootless',
      'leave out all other options',
    )
  const { chooseWrong, runWrongly } = await import('../dev/mutants.ts')
  const wrong = await chooseWrong(number, flags, rootless)
  if (process.env.MINILAB_SANDBOX) return runWrongly(wrong, flags, rootless)
  await using data = await makeDataCopy(imageUse(wrong.right))
  data.linkViewers()
  const { files, cgroup } = data
  const sandbox: Sandbox = { kind: 'protected', root: !rootless, files, cgroup }
  return await inSandbox(sandbox, number, command, flags, rootless)
}

/** Re-executes minilab for the same step in a sandbox. */
async function inSandbox(
  sandbox: Sandbox,
  number: number,
  command: string[],
  flags: StepFlags,
  rootless: boolean,
  { keep = [], told: more }: { keep?: number[]; told?: Told } = {},
): Promise<number> {
  const args = ourselves(['step', String(number), '--', ...command])
  const env = { ...process.env, MINILAB_DATA: dataFolder() }
  const told = { ...STEP.tell({ ...flags, rootless }), ...more }
  return shellStatus(await runInSandbox(sandbox, { args, env, keep, told }))
}

/** `--dry-run`: prints the calls that the child would make. Makes nothing. */
async function showCalls<S>(step: Step<S>, mode: StepMode, { json }: StepFlags): Promise<void> {
  const calls = (await recordStep(step, mode)).print()
  console.log(json ? JSON.stringify({ step: step.number, tape: calls }) : calls.join('\n'))
}

/** `--spec`: the container's config.json in runc's format. Makes nothing but the default image, so that the spec can be run. */
async function showSpec<S>(step: Step<S>, mode: StepMode): Promise<void> {
  const experiment = new Experiment(step, mode)
  try {
    const { spec, layers } = await experiment.plan({ image: true })
    // our engine makes an overlay, a runtime does not: others can run only the image itself, read-only
    if (layers) spec.root = { path: layers.lower[0] ?? '/', readonly: true }
    console.log(JSON.stringify(specFor(spec, mode.runtime === 'minilab' ? undefined : mode.runtime), null, 2))
  } finally {
    await experiment.close()
  }
}
