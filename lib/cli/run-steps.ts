import { runOnBench } from '../container/bench.ts'
import { Gate } from '../kernel/gate.ts'
import type { Stand } from '../container/read-only.ts'
import { compose } from '../container/start.ts'
import { dataFolder } from '../image/data-folder.ts'
import { shellStatus } from '../kernel/child.ts'
import { UsageError } from '../kernel/errors.ts'
import { Lab, type LabOptions } from '../guide/lab.ts'
import { Presenter } from '../guide/present.ts'
import { runStep } from '../guide/run-step.ts'
import { withStandIn } from '../guide/stand-in.ts'
import { specFor } from '../guide/runtime.ts'
import type { Step } from '../guide/step.ts'
import { EXIT } from './exit.ts'
import { isRootless } from './rootless.ts'
import { mayAsk, type StepFlags } from './step.ts'
import { steps } from './steps.ts'

/** The first step whose host side needs rights over links: without root it runs on the bench. */
export const NEEDS_BENCH = 6
const OTHER_RUNTIME = [2, 3, 4]

/** Runs steps one after the other; the exit status is that of the worst. */
export async function runSteps(numbers: number[], command: string[], flags: StepFlags): Promise<void> {
  const rootless = isRootless(flags.rootless)
  if (flags.runtime !== 'minilab' && numbers.some(n => !OTHER_RUNTIME.includes(n)))
    throw new UsageError(
      `--runtime ${flags.runtime} goes with steps ${OTHER_RUNTIME.join(', ')}`,
      'leave it out for the others',
    )
  const wrong = flags.mutant !== undefined || flags.without !== undefined
  if (wrong) return runWrong(numbers, command, flags, rootless)
  for (const number of numbers) {
    const step = await steps[number - 1]!.load()
    const presenter = new Presenter({ plain: flags.plain ?? false, quiet: flags.json ?? false })
    const options = { rootless, runtime: flags.runtime, keep: flags.keep ?? false, presenter }
    if (flags.dryRun || flags.spec) await show(step, options, flags)
    else if (rootless && number >= NEEDS_BENCH && !process.env.MINILAB_BENCH)
      worst(await onBench(number, command, flags, rootless))
    else {
      const report = await runStep(step, { ...options, ask: mayAsk(flags), command })
      if (flags.json) process.stdout.write(JSON.stringify(report) + '\n')
      if (!report.ok) worst(EXIT.failed)
      if (report.predictions.length > 0) (await import('./keep-predictions.ts')).keepPredictions(report)
    }
  }
}

function worst(status: number): void {
  process.exitCode = Math.max(Number(process.exitCode ?? 0), status)
}

/** A step built wrongly, on the bench. */
async function runWrong(
  numbers: number[],
  command: string[],
  flags: StepFlags,
  rootless: boolean,
): Promise<void> {
  const [number = 0, ...more] = numbers
  if (more.length > 0)
    throw new UsageError('a mutant is one step’s', 'name the step: minilab step 3 --mutant chroot')
  if (flags.runtime !== 'minilab' || flags.keep || flags.spec || flags.dryRun || command.length > 0)
    throw new UsageError(
      '--mutant and --without go with --yes, --json, --plain, --rootless',
      'leave out the rest',
    )
  const { chooseWrong, runWrongly } = await import('./mutants.ts')
  const wrong = await chooseWrong(number, flags, rootless)
  if (process.env.MINILAB_BENCH) return worst(await runWrongly(wrong, flags, rootless))
  await withStandIn(async stand => worst(await onBench(number, command, flags, rootless, stand)))
}

/** The same step by ourselves again, in a user and network namespace. */
async function onBench(
  number: number,
  command: string[],
  flags: StepFlags,
  rootless: boolean,
  stand?: Stand,
): Promise<number> {
  const on = (['yes', 'json', 'plain', 'keep'] as const).filter(name => flags[name]).map(name => `--${name}`)
  if (rootless) on.push('--rootless')
  if (flags.mutant !== undefined) on.push('--mutant', flags.mutant)
  for (const name of flags.without ?? []) on.push('--without', name)
  const args = [process.execPath, process.argv[1]!, 'step', String(number), ...on, '--', ...command]
  const env = { ...process.env, MINILAB_DATA: dataFolder() }
  return shellStatus(await runOnBench(args, env, { allIds: !rootless, ...(stand && { stand }) }))
}

/** `--dry-run` and `--spec`: what would be done. Nothing is made but, for a spec that can be run, the default image. */
async function show<S>(step: Step<S>, options: LabOptions, flags: StepFlags): Promise<void> {
  const lab = new Lab(step, options)
  try {
    const container = await lab.container(flags.spec ? { image: true } : { dry: true })
    if (flags.spec) {
      const { spec, layers } = container
      // an overlay is made by our engine, not by a runtime: what others can run is the image itself, read-only
      if (layers) spec.root = { path: layers.lower[0] ?? '/', readonly: true }
      // as runc takes it, so that whoever gets this file can run it
      console.log(
        JSON.stringify(specFor(options.runtime === 'minilab' ? 'runc' : options.runtime, spec), null, 2),
      )
      return
    }
    const gate = new Gate()
    const { tape } = compose(lab.parts()).record(container, gate)
    const calls = tape.print()
    if (flags.json) console.log(JSON.stringify({ step: step.number, tape: calls }))
    else console.log(calls.join('\n'))
  } finally {
    await lab.close()
  }
}
