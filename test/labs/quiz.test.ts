import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { steps } from '../../lib/cli/steps.ts'
import { explanation } from '../../lib/book/explanation.ts'
import { questionsOf } from '../../lib/guide/quiz.ts'
import type { Report } from '../../lib/guide/step.ts'
import { keepEarly } from '../../lib/labs/early-predictions.ts'
import type { Progress } from '../../lib/labs/progress-shape.ts'
import { changeProgress, readProgress } from '../../lib/labs/progress.ts'
import { isRoot, runMinilab, users, self, userData } from '../support/minilab.ts'
import { noTmux, Terminal } from '../support/terminal.ts'

const ENTRY = join(import.meta.dirname, '../../bin.mjs')
const NAMESPACES = 'How many of its eight namespaces does this process have to itself?'

/** A user's own workspace, made by that user. */
async function workspace(user = self): Promise<{ env: Record<string, string>; folder: string }> {
  const data = userData(user)
  const folder = join(data, 'lab')
  const { stderr } = await runMinilab(['init', folder], { user, data })
  expect(stderr).toBe('')
  return { env: { MINILAB_DATA: data, MINILAB_WORKSPACE: folder }, folder }
}

const missed = (step: number, question: string): Progress['predictions'] => ({
  [question]: { step, said: 'something', answer: 'something else', at: '2026-01-01T00:00:00.000Z' },
})

test('no two steps ask the same question: by it the answers are kept', async () => {
  const all = await Promise.all(steps.map(({ load }) => load()))
  const questions = all.flatMap(step => questionsOf(step))
  expect(new Set(questions).size).toBe(questions.length)
  expect(questions.length).toBeGreaterThan(14)
})

test('without a terminal it asks nothing, and --json prints what is known', async () => {
  const { env, folder } = await workspace()
  changeProgress({ folder }, progress => Object.assign(progress.predictions, missed(4, 'q'), missed(2, 'p')))
  const asked = await runMinilab(['quiz'], { env })
  expect(asked).toMatchObject({ status: 2, stdout: '' })
  expect(asked.stderr).toMatch(/^minilab: [^\n]+ --json [^\n]+\n$/)
  const [known] = (await runMinilab(['quiz', '--json'], { env })).json()
  expect(known).toMatchObject({
    predictions: [
      { step: 2, question: 'p', said: 'something', right: false },
      { step: 4, question: 'q' },
    ],
  })
  const [some] = (await runMinilab(['quiz', '4', '--json'], { env })).json()
  expect(some).toMatchObject({ predictions: [{ question: 'q' }] })
})

test.runIf(isRoot)(
  'what was predicted under sudo comes into the workspace of who called it, and no later answer is lost',
  async () => {
    const { env, folder } = await workspace()
    const sudo = { ...env, SUDO_UID: '1000', SUDO_GID: '1000' }
    vi.stubEnv('MINILAB_DATA', env.MINILAB_DATA)
    vi.stubEnv('SUDO_UID', '1000')
    vi.stubEnv('SUDO_GID', '1000')
    const report = (step: number, question: string) =>
      ({ step, predictions: [{ question, said: 'a', answer: 'b' }] }) as Report
    keepEarly(report(2, 'p'))
    keepEarly(report(1, 'q'))
    changeProgress({ folder }, progress => {
      progress.predictions.q = { step: 1, said: 'later', answer: 'b', at: new Date().toISOString() }
    })
    vi.unstubAllEnvs()
    // without sudo root is another user
    expect((await runMinilab(['quiz', '--json'], { env })).json()[0]).toMatchObject({
      predictions: [{ question: 'q' }],
    })
    const [known] = (await runMinilab(['quiz', '--json'], { env: sudo })).json()
    expect(known).toMatchObject({
      predictions: [
        { question: 'q', said: 'later' },
        { question: 'p', said: 'a' },
      ],
    })
  },
)

describe.skipIf(noTmux)(`in a real terminal${noTmux}`, () => {
  test('what was missed in a step is asked again until it is right', async () => {
    const { env, folder } = await workspace()
    const noted = () => readProgress({ folder }).predictions[NAMESPACES]
    const terminal = new Terminal(env)
    terminal.minilab('quiz')
    await terminal.shows('None of your predictions is recorded yet: minilab step 1 asks')
    terminal.minilab('step 1')
    await terminal.shows(NAMESPACES)
    terminal.key('Down')
    terminal.key('Down')
    terminal.key('Enter')
    await terminal.shows('0 of 1 predicted')
    await expect.poll(noted).toMatchObject({ step: 1, said: '1 (pid)', answer: '0' })
    terminal.type('clear')
    terminal.minilab('quiz')
    await terminal.shows(
      /Step 1 · cli: A process, and nothing around it\s+Stage 3 of 3 · Is it isolated\?\s+\? How many[^]*❯ choose/,
    )
    terminal.key('Down')
    terminal.key('Enter')
    await terminal.shows('You predicted it: 0.')
    await terminal.shows('1 of 1 predicted.')
    expect(noted()).toMatchObject({ said: '0', answer: '0' })
    // nothing of the step but the question and the answer
    expect(terminal.screen()).not.toMatch(/clone3\(|✔|━━/)
    terminal.minilab('quiz')
    await terminal.shows('You predicted 1 of 1 correctly. minilab quiz --all asks all')
  })

  test('no question has its answer above it, and each answer is one of the choices', async () => {
    const { env, folder } = await workspace()
    const chapters = await Promise.all(steps.map(({ load }) => load()))
    const asked = chapters.flatMap(step =>
      step.stages.flatMap(({ title, predict }) =>
        predict
          ? { ...predict, above: `${step.title}. ${title}. ${explanation(step, title)} ${predict.question}` }
          : [],
      ),
    )
    const terminal = new Terminal(env, { columns: 200 })
    terminal.minilab('quiz --all')
    for (const { question } of asked) {
      await terminal.shows(`? ${question.slice(0, 60)}`) // the rest is on the next line
      terminal.key('Down')
      terminal.key('Enter')
    }
    await terminal.shows(/\d of \d+ predicted\./)
    const noted = readProgress({ folder }).predictions
    expect(Object.keys(noted).length).toBeGreaterThan(asked.length / 2) // what cannot be had here has no answer
    for (const { question, choices, above } of asked) {
      if (!noted[question]) continue
      const { said, answer } = noted[question]
      expect(said).toBe(choices[0])
      expect(choices).toContain(answer)
      const words = above.replaceAll('`', '')
      expect(words).not.toMatch(new RegExp(`(?<![\\w/<])${RegExp.escape(answer)}(?![\\w/])`, 'i'))
    }
  })

  test('Ctrl-C leaves it quietly, and the earlier answer stays', async () => {
    const { env, folder } = await workspace()
    changeProgress({ folder }, progress => Object.assign(progress.predictions, missed(1, NAMESPACES)))
    const terminal = new Terminal(env)
    terminal.minilab('quiz; echo status $?')
    await terminal.shows(NAMESPACES)
    terminal.key('C-c')
    await terminal.shows('status 130')
    expect(terminal.screen()).not.toMatch(/Error|^\s+at .*:\d+:\d+/m)
    expect(readProgress({ folder }).predictions).toEqual(missed(1, NAMESPACES))
  })

  test('a step does not fail for a progress that cannot be written', async () => {
    const { env, folder } = await workspace()
    writeFileSync(join(folder, 'progress.json'), '{')
    const terminal = new Terminal(env)
    terminal.minilab('step 1; echo status $?')
    await terminal.shows(NAMESPACES)
    terminal.key('Down')
    terminal.key('Enter')
    await terminal.shows('1 of 1 predicted')
    await terminal.shows(/minilab: your predictions were not noted: \S+ is damaged:\s+it\s+is JSON/)
    await terminal.shows('status 0')
    expect(readFileSync(join(folder, 'progress.json'), 'utf8')).toBe('{')
  })

  test('what is predicted before there is a workspace comes into the first one', async () => {
    const data = userData()
    const folder = join(data, 'lab')
    const terminal = new Terminal({ MINILAB_DATA: data, MINILAB_WORKSPACE: folder })
    terminal.minilab('step 1')
    await terminal.shows(NAMESPACES)
    terminal.key('Down')
    terminal.key('Down')
    terminal.key('Enter')
    await terminal.shows('0 of 1 predicted')
    await terminal.shows(/predicted[^]*ready>\s*$/)
    await runMinilab(['init', folder], { data })
    const known = async () =>
      (
        await runMinilab(['quiz', '--json'], { env: { MINILAB_DATA: data, MINILAB_WORKSPACE: folder } })
      ).json()[0]
    const said = { predictions: [{ step: 1, question: NAMESPACES, said: '1 (pid)', answer: '0' }] }
    expect(await known()).toMatchObject(said)
    expect(existsSync(join(data, 'predictions/own'))).toBe(false)
    expect(await known()).toMatchObject(said)
  })

  // as an ordinary user that step runs in the sandbox
  test.each(users)('questions of step 6, as %s', async user => {
    const { env, folder } = await workspace(user)
    const terminal = new Terminal(env)
    const as = isRoot && user === 'ordinary' ? 'setpriv --reuid 65534 --regid 65534 --clear-groups ' : ''
    const cache = join(env.MINILAB_DATA!, 'v8')
    terminal.type(
      `${as}env NODE_COMPILE_CACHE=${cache} ${process.execPath} ${ENTRY} quiz 6 --all; echo status $?`,
    )
    const step = await steps[5]!.load()
    for (const question of questionsOf(step)) {
      await terminal.shows(`? ${question.slice(0, 40)}`)
      terminal.key('Down')
      terminal.key('Enter')
    }
    await terminal.shows(/\d of \d predicted\.[^]*status 0/)
    const { predictions } = readProgress({ folder })
    expect(Object.keys(predictions).length).toBeGreaterThan(0)
    for (const { step, answer, at } of Object.values(predictions))
      expect({ step, answer, at }).toEqual({ step: 6, answer: expect.any(String), at: expect.any(String) })
  })
})
