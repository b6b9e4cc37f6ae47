import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { steps } from '../../../lib/cli/steps.ts'
import { removeTree } from '../../../lib/image/tree.ts'
import {
  identity,
  isRoot,
  left,
  makeUserFolder,
  modesOf,
  type UserName,
  allUsers,
  fillData,
} from '../../support/minilab.ts'
import type { MutantJob } from './in-sandbox.ts'
import { MUTANT_LIMIT, type Run } from './runs.ts'

interface Mode {
  name: string
  user: UserName
  rootless: boolean
}

/** In which ways the mutants of a chapter are built: by whom, and for an ordinary user's limits as root who does without. */
function modes(number: number): Mode[] {
  if (number === 4 && isRoot)
    return [
      { name: 'root', user: 'root', rootless: false },
      // an ordinary user may have no cgroup to write limits to
      { name: '--rootless', user: 'root', rootless: true },
    ]
  return allUsers.map(user => ({ name: user, user, rootless: false }))
}

/**
 * The matrix of a chapter, mutants × checks: every mutant is seen by exactly the checks that it declares, and each of those
 * says in words what is wrong.
 */
export async function mutantsOf(number: number): Promise<void> {
  const mutants = await steps[number - 1]!.mutants()
  describe.each(modesOf(modes(number)))('as $name', ({ name: mode, user, rootless }) => {
    const cases = mutants
      .filter(({ rootOnly }) => !rootOnly || mode === 'root')
      .map(({ name, breaks }) => ({ number, name, breaks }))
    const jobs = cases.map(({ name }) => ({ name, rootless }))
    const rows: string[] = []
    let runs: ReturnType<typeof startRuns>
    let data = ''
    beforeAll(() => {
      data = makeUserFolder(user)
      fillData(data, user)
      runs = startRuns(number, jobs, user, data)
    })
    afterAll(async () => {
      const complaints = await runs.end()
      removeTree(data)
      console.log([`mutants, as ${mode}`, ...rows].join('\n'))
      expect(complaints).toBe('')
    })

    test.for(cases)(
      'step $number: $name',
      { timeout: 2 * MUTANT_LIMIT },
      async ({ name, breaks }, { skip }) => {
        const { built, exit } = await runs.next(name)
        expect(exit).toBe(undefined)
        const { report, asDeclared } = built!
        const failed = report.checks.filter(({ ok }) => ok === false)
        const unseen = report.checks.filter(({ id, ok }) => ok === null && id in breaks).map(({ id }) => id)
        rows.push(
          `  ${number} ${name.padEnd(34)} ${failed.map(({ id }) => `✘ ${id}`).join('  ')}${unseen.map(id => `  – ${id}`).join('')}`,
        )
        for (const check of failed.filter(({ id }) => !(id in breaks)))
          rows.push(`    ${JSON.stringify(check)}`)
        // those that cannot be looked at here are neither right nor wrong
        const expected = Object.entries(breaks).filter(([id]) => !unseen.includes(id))
        expect(report.refused).toBe(undefined)
        // root can look at everything; but a mutant may need a program that is not installed here
        const { reason = '' } = report.limited[0] ?? {}
        skip(mode === 'root' && unseen.length === Object.keys(breaks).length, reason)
        if (mode === 'root') expect(failed).not.toEqual([])
        expect(Object.fromEntries(failed.map(({ id, diagnosis }) => [id, diagnosis]))).toEqual(
          Object.fromEntries(expected.map(([id, words]) => [id, expect.stringContaining(words)])),
        )
        expect(asDeclared).toBe(true)
        expect(
          left({ ...report, host: { ...report.host, left: report.host.left.filter(isOnMachine) } }),
        ).toEqual([])
      },
    )
  })
}

/** Mounts, links and names that came out of a container go with the sandbox; processes and cgroups must be gone before. */
const isOnMachine = (line: string) => /^\S (process|cgroup) /.test(line)

/** Has runs.ts build mutants as a user; `next` waits for the one whose turn it is. */
function startRuns(number: number, jobs: MutantJob[], user: UserName, data: string) {
  const args = [join(import.meta.dirname, 'runs.ts'), String(number), JSON.stringify(jobs)]
  const child = spawn(process.execPath, args, {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, HOME: data, MINILAB_DATA: data },
    ...identity(user),
  })
  const complaints = text(child.stderr)
  const ended = once(child, 'exit')
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  return {
    async next(name: string): Promise<Run> {
      for (;;) {
        const { value, done } = await lines.next()
        if (done) throw new Error(`${name} was not built: ${await complaints}`)
        const run = JSON.parse(value) as Run
        if (run.name === name) return run // another's test was left out, by -t say
      }
    },
    async end(): Promise<string> {
      child.stdout.resume()
      await ended
      return complaints
    },
  }
}
