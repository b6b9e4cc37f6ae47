import { certain } from '../../common/certain.ts'
import { asTyped } from '../../guide/as-typed.ts'
import { leaveOut } from '../../guide/leave-out.ts'
import type { Mutant } from '../../guide/mutant.ts'
import { MutantPresenter } from '../../guide/present-mutant.ts'
import { titled } from '../../guide/predict.ts'
import { inkFor, widthFor } from '../../guide/printer.ts'
import { runMutant, seenAsDeclared, type Wrong } from '../../guide/run-mutant.ts'
import type { StepMode } from '../../guide/step-plan.ts'
import { wrap } from '../../guide/text.ts'
import { MinilabError } from '../../common/errors.ts'
import { hint } from '../../common/suggest.ts'
import { EXIT } from '../exit.ts'
import { mayAsk, type StepFlags } from '../step/step.ts'
import { steps } from '../steps.ts'

/** `--list-mutants`: as a list, or with `--json` one array for each step. */
export async function listMutants(numbers: readonly number[], flags: StepFlags): Promise<void> {
  const { bold, dim, cyan } = inkFor(flags.plain ?? false)
  const width = widthFor(flags.plain ?? false)
  for (const number of numbers) {
    const { name: step, load, mutants } = certain(steps[number - 1])
    const checks = (await load()).stages.flatMap(({ checks }) => checks ?? [])
    const rows = (await mutants()).map(({ name, misconception, breaks }) => ({
      name,
      misconception,
      breaks: Object.keys(breaks),
    }))
    if (flags.json) {
      console.log(JSON.stringify(rows))
      continue
    }
    console.log(bold(`Step ${number} · ${step}: ${rows.length} wrong ways to build it\n`))
    for (const { name, misconception, breaks } of rows) {
      console.log(`  ${cyan(name)}`)
      for (const line of wrap(misconception, width - 4)) console.log(`    ${line}`)
      for (const check of checks.filter(({ id }) => breaks.includes(id)))
        for (const [i, line] of wrap(`breaks ${titled(check)}`, width - 6).entries())
          console.log(dim(`    ${i ? '  ' : ''}${line}`))
    }
    console.log(asTyped(`\nTry one safely:  minilab step ${number} --mutant ${rows[0]?.name ?? 'NAME'}\n`))
  }
}

/** The variant that `--mutant` and `--without` ask for. Throws a usage error with the nearest name. */
export async function chooseWrong(number: number, flags: StepFlags, rootless: boolean): Promise<Wrong> {
  const { load, mutants } = certain(steps[number - 1])
  const right = await load()
  if (flags.mutant === undefined) return without(right, flags.without ?? [], rootless)
  if (flags.without)
    throw new MinilabError('usage', '--mutant and --without cannot be combined', 'use one at a time')
  const all = await mutants()
  const mutant = all.find(({ name }) => name === flags.mutant) ?? unknown(number, all, flags.mutant)
  if (mutant.rootOnly && rootless)
    throw new MinilabError(
      'usage',
      `${mutant.name} cannot be seen without root, because ${mutant.rootOnly}`,
      'run it with sudo',
    )
  const { name, misconception, breaks, change } = mutant
  return { title: `mutant ${name}`, misconception, breaks: Object.keys(breaks), right, step: change(right) }
}

async function without(right: Wrong['right'], names: readonly string[], rootless: boolean): Promise<Wrong> {
  let step = right
  for (const name of names) step = await leaveOut(step, name, modeOf(rootless))
  return { title: `without ${names.join(' and ')}`, right, step }
}

function unknown(number: number, all: readonly Mutant[], wanted: string): never {
  const names = all.map(({ name }) => name)
  throw new MinilabError(
    'usage',
    `step ${number} has no mutant "${wanted}"`,
    hint(wanted, names, `minilab step ${number} --list-mutants shows them`),
  )
}

/** Runs a variant, already in the sandbox; resolves to the exit status: 0 if it went as declared. */
export async function runWrongly(wrong: Wrong, flags: StepFlags, rootless: boolean): Promise<number> {
  const presenter = new MutantPresenter({ plain: flags.plain ?? false, quiet: flags.json ?? false })
  const report = await runMutant(wrong, { ...modeOf(rootless), presenter, ask: mayAsk(flags) })
  if (flags.json) process.stdout.write(JSON.stringify(report) + '\n')
  return seenAsDeclared(report) ? EXIT.ok : EXIT.failed
}

const modeOf = (rootless: boolean): StepMode => ({ rootless, runtime: 'minilab' })
