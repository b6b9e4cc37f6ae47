import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { exercises } from '../../lib/cli/exercises.ts'
import { commandLine } from '../../lib/cli/program.ts'
import { steps } from '../../lib/cli/steps.ts'
import { stops } from '../../lib/cli/tour/stops.ts'
import type { Report } from '../../lib/guide/step.ts'
import { keepEarly } from '../../lib/labs/early-predictions.ts'
import { changeProgress } from '../../lib/labs/progress.ts'
import { taskKey } from '../../lib/labs/verdict.ts'
import { newLearner } from '../labs/support.ts'
import { runMinilab, userFolder } from '../support/minilab.ts'

interface Document {
  minutes: number
  next: string
  steps: {
    number: number
    title: string
    command: string
    minutes: number
    done: boolean
    lab: { command: string; when: string; tasks: { passed: number; all: number } }
  }[]
}
const read = (stdout: string) => JSON.parse(stdout) as Document

test('without a workspace it shows all seven steps in half an hour, and makes nothing', async () => {
  const data = userFolder()
  const env = { MINILAB_CALLED: './minilab' }
  const { status, stdout, stderr } = await runMinilab(['tour', '--json'], { data, env })
  expect({ status, stderr, made: readdirSync(data) }).toEqual({ status: 0, stderr: '', made: [] })
  const way = read(stdout)
  const chapters = await Promise.all(steps.map(({ load }) => load()))
  expect(way.steps.map(({ title }) => title)).toEqual(chapters.map(({ title }) => title))
  for (const { number, command, done, lab } of way.steps) {
    expect(command).toMatch(new RegExp(`^(sudo )?\\./minilab step ${number}$`))
    expect(lab).toMatchObject({ command: `./minilab lab ${number}`, tasks: { passed: 0 } })
    expect(done).toBe(false)
  }
  expect(way.minutes).toBe(way.steps.reduce((sum, { minutes }) => sum + minutes, 0))
  expect(Math.abs(way.minutes - 30)).toBeLessThanOrEqual(5)
  expect(way.next).toBe(way.steps[0]!.command)

  const page = (await runMinilab(['tour', '--plain'], { data, env })).stdout
  for (const { title, command } of way.steps)
    for (const text of [title, command]) expect(page).toContain(text)
  expect(page).toContain(`about ${way.minutes} minutes`)
  expect(page).not.toContain('✔')
})

test('what is done is marked: steps by their predictions, labs by their tasks; and what comes next', async () => {
  const { folder, run } = await newLearner()
  const tour = async () => read((await run(['tour', '--json'])).stdout)
  const at = '2026-01-01T00:00:00.000Z'
  const predict = (step: number) =>
    changeProgress({ folder }, ({ predictions }) => {
      predictions[`question ${step}`] = { step, said: 'a', answer: 'b', at }
    })
  predict(1)
  const lab = await exercises[0]!.load()
  changeProgress({ folder }, ({ tasks }) => {
    for (const { id } of lab.tasks)
      tasks[taskKey(lab, id)] = { first: at, last: at, attempts: 0, hints: 0, passed: at }
  })
  const begun = await tour()
  expect(begun.next).toBe('sudo minilab step 2')
  expect(begun.steps.map(({ done }) => done)).toEqual([true, ...Array<boolean>(6).fill(false)])
  const counts = begun.steps.map(({ lab }) => lab.tasks)
  expect(counts[0]!.passed).toBe(counts[0]!.all)
  expect(counts.slice(1).filter(({ passed }) => passed > 0)).toEqual([])
  const page = (await run(['tour', '--plain'])).stdout
  expect(page).toMatch(/^ ✔ 1 {2}A process/m)
  expect(page).toMatch(/lab 1 +✔ passed/)
  expect(page.match(/✔/g)).toHaveLength(3) // and what the mark means

  // a step that this machine cannot show asks nothing, and does not hold the learner up
  for (const step of [2, 3, 5, 6, 7]) predict(step)
  expect((await tour()).next).toBe('minilab lab 2')
})

test('a prediction that was made before there was a workspace counts', async () => {
  const data = userFolder()
  vi.stubEnv('MINILAB_DATA', data)
  vi.stubEnv('SUDO_UID', undefined)
  keepEarly({ step: 3, predictions: [{ question: 'q', said: 'a', answer: 'b' }] } as Report)
  const { steps, next } = read((await runMinilab(['tour', '--json'], { data })).stdout)
  expect(steps.filter(({ done }) => done).map(({ number }) => number)).toEqual([3])
  expect(next).toBe('sudo minilab step 4')
})

test('what it says of a step and of a lab fits into one line of 80 columns each', () => {
  expect(stops).toHaveLength(steps.length)
  for (const { see, why } of stops) {
    expect(see.replaceAll('`', '').length, see).toBeLessThanOrEqual(74)
    expect(why.length, why).toBeLessThanOrEqual(57)
  }
})

test('a command is found by its word, without the flags of all others', async () => {
  const names = (await commandLine('')).commands.map(command => command.name())
  for (const name of names) {
    const loaded = (await commandLine('', name)).commands.map(command => command.name())
    expect(loaded).toContain(name)
    expect(loaded.length, name).toBeLessThan(7)
  }
  expect((await commandLine('', 'runn')).commands).toHaveLength(names.length)
})

test('every command is printed as it can be typed', async () => {
  const names = (await commandLine('')).commands.map(command => command.name())
  const script = `import { asTyped } from '${join(import.meta.dirname, '../../lib/guide/as-typed.ts')}'
    console.log(asTyped(process.argv.slice(1).map(name => 'minilab ' + name).join('\\n')))`
  const printed = execFileSync(process.execPath, ['--input-type=module', '-e', script, '--', ...names], {
    encoding: 'utf8',
    env: { ...process.env, MINILAB_CALLED: './minilab' },
  })
  expect(printed.trimEnd().split('\n')).toEqual(names.map(name => `./minilab ${name}`))
})
