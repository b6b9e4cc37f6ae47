// The way of a new user: an empty workspace, `watch` in a terminal, every task in order, and a container of their own in the end.
import { describe, expect, test } from 'vitest'
import { exercises } from '../../lib/cli/exercises.ts'
import { Cgroup } from '../../lib/kernel/cgroup/cgroup.ts'
import { planCgroup } from '../../lib/kernel/cgroup/make-cgroup.ts'
import type { WrongAnswer } from '../../lib/labs/answer.ts'
import { readProgress } from '../../lib/labs/progress.ts'
import { taskAt } from '../../lib/labs/verdict.ts'
import { isRoot, modesOf } from '../support/minilab.ts'
import { noTmux, Terminal } from '../support/terminal.ts'
import { newLearner, solution } from './support.ts'

const labs = await Promise.all(exercises.map(({ load }) => load()))
/**
 * In `npm test` a lab that only records and one that works on the host; in CI all labs, as root and without. Each misconception is written
 * once: in a way whose `mistakes` do not name the lab, only the right answer is written.
 */
const QUICK = [3, 5]
const canLimit = planCgroup('minilab/x', ['memory', 'cpu', 'pids']) instanceof Cgroup

/** For each task what somebody writes who has misunderstood it, and that can be seen without root as well. */
async function misconceptions(lab: string, tasks: { id: string }[]): Promise<{ id: string; text: string }[]> {
  const { wrong } = (await import(`./wrong/${lab}.ts`)) as { wrong: WrongAnswer[] }
  return tasks.flatMap(({ id }) => {
    const answer = wrong.find(({ task, rootOnly }) => task === id && !rootOnly)
    const edit = (text: string, [from, to]: [string, string]) => text.replace(from, () => to)
    return answer ? [{ id, text: answer.edits.reduce(edit, solution(lab)) }] : []
  })
}

describe.skipIf(noTmux)(`from an empty workspace to a runtime of one's own${noTmux}`, () => {
  const all = labs.map(({ number }) => number)
  const ways = [
    { mode: '', numbers: QUICK, mistakes: QUICK },
    { mode: '', numbers: all, mistakes: all.filter(number => !QUICK.includes(number)) },
    ...(isRoot ? [{ mode: ' --rootless', numbers: all, mistakes: [4] }] : []),
  ]
  test.each(modesOf(ways))(
    'watch$mode, labs $numbers',
    { timeout: 1_800_000 },
    async ({ mode, numbers, mistakes }) => {
      const learner = await newLearner()
      const { folder, data } = learner
      const env = { MINILAB_WORKSPACE: folder, MINILAB_DATA: data, HOME: data }
      const terminal = new Terminal(env, { rows: 60 })
      const attempts = () =>
        Object.values(readProgress({ folder }).tasks).reduce((sum, task) => sum + task.attempts, 0)
      for (const lab of labs.filter(({ number }) => numbers.includes(number))) {
        const name = `${lab.number}-${lab.name}`
        const limited = lab.number === 4 && !canLimit // nobody can look at limits here
        terminal.minilab(`watch ${lab.number}${mode}`)
        await terminal.shows(limited ? 'not looked at' : `0 of ${lab.tasks.length} tasks`)
        // first a misconception about each task: it does not pass, and is told why
        const made = !limited && mistakes.includes(lab.number)
        for (const { id, text } of made ? await misconceptions(name, lab.tasks) : []) {
          const before = attempts()
          learner.write(`${name}.ts`, text)
          await expect.poll(attempts, { timeout: 180_000 }).toBeGreaterThan(before)
          await terminal.shows(/✘[^]*Stuck\?/)
          expect(terminal.screen()).not.toMatch(new RegExp(`✔ \\d+ +${id} `))
        }
        learner.write(`${name}.ts`, solution(name))
        await terminal.shows(limited ? 'not looked at' : `all ${lab.tasks.length} tasks`)
        await terminal.shows('q quit')
        if (!limited) expect(taskAt(readProgress({ folder }), lab)).toBe(undefined)
        await terminal.quit()
        terminal.type('clear')
      }
      if (numbers.length < labs.length) return
      terminal.minilab(`run --mine --rm${mode} default sh -c 'echo pid $$ is mine'`)
      await terminal.shows('pid 1 is mine')
      const { stdout } = await learner.run(['progress'])
      expect(stdout).not.toContain('minilab lab 1')
    },
  )
})
