// What is printed in a narrow window: no line is wider than it, and no word is split.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { describe, expect, test } from 'vitest'
import { steps } from '../../lib/cli/steps.ts'
import { explanation } from '../../lib/book/explanation.ts'
import { fold } from '../../lib/guide/text.ts'
import { newLearner } from '../labs/support.ts'
import { allUsers, isRoot, runMinilab, sharedData, thorough } from '../support/minilab.ts'

const ENTRY = join(import.meta.dirname, '../../bin.mjs')
const noScript =
  spawnSync('script', ['--version']).status === 0 ? '' : ' (no script: apt-get install bsdutils)'
const data = sharedData()
const user = allUsers.at(-1)!

/** The lines that a command prints on a terminal of this width, stdout and stderr. */
function printed(columns: number, args: string, env: NodeJS.ProcessEnv, wrapper = ''): string[] {
  const command = `stty cols ${columns} rows 50; ${wrapper} '${process.execPath}' '${ENTRY}' ${args}`
  const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
    encoding: 'utf8',
    env: { ...process.env, TERM: 'xterm-256color', COLUMNS: '', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return stripVTControlCharacters(stdout).trimEnd().split('\r\n')
}

/** As one line, without the margins: a word that is split by the end of a line has a blank in it then. */
const joined = (lines: string[]) => lines.map(line => line.replace(/^[\s│├┌✔✘–]+/, '').trimEnd()).join(' ')
const plain = (text: string) => text.replaceAll('`', '').replaceAll(/\s+/g, ' ')

function expectFit(columns: number, lines: string[], texts: string[]): void {
  expect(lines.length).toBeGreaterThan(3)
  expect(lines.filter(line => line.length > columns)).toEqual([])
  // a quote that is cut is closed
  const quotes = (line: string) => line.replaceAll(/\\./g, '').split('"').length - 1
  expect(lines.filter(line => /^ +│ \w+\(.*…"?\) +=/.test(line) && quotes(line) % 2 === 1)).toEqual([])
  const text = joined(lines)
  for (const one of texts) expect(text).toContain(plain(one))
}

describe.skipIf(noScript).each([60, ...thorough([80, 40])])(`at %i columns${noScript}`, columns => {
  test.each([1, 2, 3, 4, 5, 6, 7])('step %i', async number => {
    const step = await steps[number - 1]!.load()
    const lines = printed(columns, `step ${number} --yes`, {
      MINILAB_DATA: data[isRoot ? 'root' : 'ordinary'],
    })
    expectFit(columns, lines, [
      ...step.stages.flatMap(({ checks = [] }) => checks.map(({ claim }) => claim)),
      step.recap,
      ...step.stages.map(({ title }) => explanation(step, title)),
    ])
    expect(joined(lines)).toMatch(/\d+ checks hold +.*nothing left on the host( ·)? \d+ ms/)
  })

  test('what is refused to an ordinary user, with the paths of cgroups in it', async () => {
    const env = { MINILAB_DATA: data.ordinary, NODE_COMPILE_CACHE: join(data.ordinary, 'v8') }
    const [report] = (await runMinilab(['step', '4', '--json'], { user, data: data.ordinary })).json()
    const wrapper = isRoot ? 'setpriv --reuid 65534 --regid 65534 --clear-groups' : ''
    const lines = printed(columns, 'step 4 --yes', env, wrapper)
    expectFit(
      columns,
      lines,
      report!.checks.map(({ claim }) => claim),
    )
    const from = lines.findIndex(line => line.includes('limited here:'))
    const to = lines.findIndex(line => line.includes('to have it:'))
    for (const line of lines.slice(from, to)) expect(line).toMatch(/^ {6}\S/)
  })

  test('lab, check, diff, hint, progress, tour, report, doctor, and an error', async () => {
    const { folder, data: own, check, run } = await newLearner()
    const env = { MINILAB_DATA: own, MINILAB_WORKSPACE: folder }
    const { tasks, working } = await check(3)
    const said = tasks.find(({ id }) => id === working)!.checks.filter(({ ok }) => ok === false)
    const titles = tasks.map(({ title }) => title)
    expectFit(columns, printed(columns, 'lab 3', env), titles)
    expectFit(columns, printed(columns, 'check 3', env), [...titles, ...said.map(({ claim }) => claim)])
    for (const args of ['diff 3', 'hint 3', 'progress', 'tour', 'report', 'doctor'])
      expectFit(columns, printed(columns, args, env), [])
    const { stderr } = await run(['solution', '3'])
    expect(stderr.length).toBeGreaterThan(columns)
    const error = printed(columns, 'solution 3', env)
    expect(error.filter(line => line.length > columns)).toEqual([])
    expect(joined(error)).toContain(stderr.trim())
  })
})

test.skipIf(noScript)(`what is said on stderr is broken between words, with --plain too${noScript}`, () => {
  const lines = printed(
    60,
    'class report --plain /nowhere/report.json /nowhere/another-report-of-somebody.json',
    {},
  )
  expect(lines.filter(line => line.length > 60)).toEqual([])
  expect(joined(lines)).toContain('minilab: /nowhere/another-report-of-somebody.json is not there')
})

describe('a line that is too wide', () => {
  test('is broken between words, behind its mark, and colours take no room', () => {
    expect(fold('   ✔  one two three', 12)).toEqual(['   ✔  one', '      two', '      three'])
    expect(fold('      │ one two', 12)).toEqual(['      │ one', '      │ two'])
    expect(fold('  \x1b[31mone two\x1b[39m', 6)).toEqual(['  \x1b[31mone', '  two\x1b[39m'])
    expect(fold('as it is', 8)).toEqual(['as it is'])
  })

  test('a word that is too long by itself is broken behind a slash', () => {
    expect(fold('  at /sys/fs/cgroup/memory', 12)).toEqual(['  at', '  /sys/fs/', '  cgroup/', '  memory'])
    expect(fold('  0123456789abcdef', 12)).toEqual(['  0123456789', '  abcdef'])
  })
})
