// `minilab class report`: what learners handed in, together; every word of theirs may be hostile, every file damaged.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import { exercises } from '../../lib/cli/exercises.ts'
import { classPage } from '../../lib/labs/class-page.ts'
import { readClass } from '../../lib/labs/class-report.ts'
import type { Exercise } from '../../lib/labs/exercise.ts'
import type { LabReport, ReportedTask } from '../../lib/labs/report-shape.ts'
import { makeReport } from '../../lib/labs/report.ts'
import { all, type Element, everything, parseHtml, textOf } from '../support/html-tree.ts'
import { runMinilab, userFolder } from '../support/minilab.ts'

const labs = await Promise.all(exercises.map(({ load }) => load()))
const lab = labs.find(({ number }) => number === 3)!
const [easy, hard] = lab.tasks as [Exercise['tasks'][number], Exercise['tasks'][number]]
const check = hard.checks.find(id => !easy.checks.includes(id))!

const EVIL = `Bobby"><script>alert('1')</script>&\u001b[31m\u202e\u0007\nx`
const diagnosis = (inode: number) => `The old root (inode ${inode}) is still there: umount2 is missing.`

/** Ada has passed the first task and fails at the second, with this much trouble. */
function handedIn(
  name: string,
  { failing, attempts = 1, hints = 0 }: Partial<Pick<ReportedTask, 'failing' | 'attempts' | 'hints'>> = {},
): LabReport {
  const report = makeReport(
    labs,
    { minilab: 1, tasks: {}, predictions: {} },
    {
      learner: { name, from: 'given with --name' },
      machine: { kernel: '6', arch: 'x86_64', cgroup: 'v2', mode: 'root', minilab: '0' },
    },
  )
  const { tasks } = report.exercises.find(({ number }) => number === 3)!
  const [first, second] = ['2026-11-22T09:00:00.000Z', '2026-11-22T09:46:10.000Z']
  Object.assign(tasks[0]!, { state: 'passed', attempts: 1, first, last: first, passed: first })
  if (failing) Object.assign(tasks[1]!, { state: 'failing', attempts, hints, first, last: second, failing })
  return report
}

/** A folder with files of these names and contents. */
function files(contents: Record<string, unknown>): { folder: string; paths: string[] } {
  const folder = userFolder()
  const paths = Object.entries(contents).map(([name, content]) => {
    const path = join(folder, name)
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
    return path
  })
  return { folder, paths }
}

const CLASS = {
  'ada.json': handedIn('Ada', {
    failing: { check, diagnosis: diagnosis(4026531840) },
    attempts: 9,
    hints: 3,
  }),
  'bob.json': handedIn(EVIL, { failing: { check, diagnosis: diagnosis(17) }, attempts: 2, hints: 1 }),
  'cyd.json': handedIn('Cyd', { failing: { check, diagnosis: EVIL } }),
  'dan.json': handedIn('Dan'),
}

test('the table: who has passed what, is stuck on what, and what most fail at', async () => {
  const { status, stdout, stderr } = await runMinilab(['class', 'report', '--plain', ...files(CLASS).paths])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toMatch(new RegExp(`^ Ada .*\\b1/${lab.tasks.length}\\b.* 2026-11-22 09:46$`, 'm'))
  expect(stdout).toContain(`stuck on 3-root/${hard.id}: ${check}, 9 attempts, 3 hints`)
  expect(stdout).toMatch(/^ Dan .* 2026-11-22 09:00$/m)
  // two of the three say the same, though of other inodes
  const said = stdout.replace(/\s+/g, ' ')
  expect(said).toContain(`3 of 4 3-root: ${check} ${diagnosis(4026531840)} (2 of 3)`)
  expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u)
})

test('predictions are counted for themselves, and are no work in a lab', async () => {
  const report = handedIn('Eve')
  const at = '2026-12-24T09:00:00.000Z'
  for (const right of [true, false, true])
    report.predictions.push({
      step: 2,
      question: `${right}?`,
      said: 'a',
      answer: right ? 'a' : 'b',
      right,
      at,
    })
  const { paths } = files({ 'eve.json': report })
  const { stdout } = await runMinilab(['class', 'report', '--plain', ...paths])
  expect(stdout).toMatch(new RegExp(`^ Eve .*\\b1/${lab.tasks.length}\\b.* 2/3 +2026-11-22 09:00$`, 'm'))
  const cells = all(parseHtml(classPage(readClass(paths, labs), new Date())), 'td').map(textOf)
  expect(cells).toContain('2/3')
})

test('the table in narrow windows: its columns stay columns, and no line is wider', () => {
  const { paths } = files(CLASS)
  for (const columns of [84, 80, 60, 40]) {
    const command = `stty cols ${columns}; '${process.execPath}' bin.mjs class report ${paths.join(' ')}`
    const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
      cwd: join(import.meta.dirname, '../..'),
      encoding: 'utf8',
      env: { ...process.env, COLUMNS: '' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const lines = stripVTControlCharacters(stdout).trimEnd().split('\r\n')
    expect(lines.filter(line => line.length > columns)).toEqual([])
    const ada = lines.find(line => line.startsWith(' Ada '))!
    const head = lines.find(line => line.startsWith(' learner'))! + ' '
    for (const { number, tasks } of labs)
      expect(ada.slice(head.indexOf(` ${number} `) + 1)).toMatch(new RegExp(`^\\d/${tasks.length}`))
    expect(head.includes('last in labs')).toBe(columns >= 60)
  }
})

test('a file that is no report is named in a line, and the others are reported', async () => {
  const { folder, paths } = files({
    ...CLASS,
    'cut.json': JSON.stringify(CLASS['ada.json']).slice(0, 500),
    'foreign.json': { name: 'something', version: '1.0.0' },
    'newer.json': { ...CLASS['ada.json'], version: 2 },
    'wrong.json': { ...CLASS['ada.json'], exercises: [{ number: 3, name: 'root', title: '', tasks: [{}] }] },
    'deep.json': '['.repeat(100_000),
    'null.json': 'null',
    'empty.json': '',
    'evil\u001b[2J.json': '{',
  })
  const folderName = join(folder, 'folder.json')
  mkdirSync(folderName)
  execFileSync('mkfifo', [join(folder, 'fifo.json')])
  execFileSync('truncate', ['-s', '1G', join(folder, 'large.json')])
  const more = ['folder.json', 'fifo.json', 'large.json', 'none.json'].map(name => join(folder, name))
  const { status, stdout, stderr } = await runMinilab(['class', 'report', '--plain', ...paths, ...more])
  expect(status).toBe(1)
  for (const name of ['Ada', 'Cyd', 'Dan']) expect(stdout).toMatch(new RegExp(`^ ${name} `, 'm'))
  const lines = stderr.trimEnd().split('\n')
  const bad = [...paths.slice(4), ...more]
  expect(lines).toHaveLength(bad.length)
  for (const [i, path] of bad.entries())
    expect(lines[i]).toMatch(`minilab: ${path.replace('\u001b', '\\u001b')} `)
  expect(lines.join(' ')).not.toMatch(/\p{Cc}/u)
})

test('nothing but damaged files: exit status 1, and no table', async () => {
  const { status, stdout, stderr } = await runMinilab(['class', 'report', ...files({ 'a.json': '{' }).paths])
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
  expect(stderr).toMatch(/^minilab: \S*a\.json is not JSON.*\n$/)
})

test('two of one name, tasks of other labs, a name of nothing', () => {
  const other = handedIn('Ada')
  other.exercises.push({
    number: 99,
    name: 'x',
    title: '',
    tasks: [{ ...other.exercises[0]!.tasks[0]!, id: 'y' }],
  })
  const { paths } = files({ 'a.json': handedIn('Ada'), 'b.json': other, 'c.json': handedIn(' ') })
  const { learners, notes, problems } = readClass(paths, labs)
  expect(learners.map(({ name }) => name)).toEqual(['Ada (a.json)', 'Ada (b.json)', 'c.json'])
  expect(problems).toEqual([])
  expect(notes).toEqual([expect.stringMatching(/b\.json has tasks that these labs do not have \(1\)/)])
})

/** The tables of a page, as the texts of their cells. */
const tables = (page: Element) =>
  all(page, 'table').map(table =>
    all(table, 'tr').map(row => row.children.filter(cell => typeof cell !== 'string').map(textOf)),
  )

test('the page: real tables, that can be read without colour, by keyboard, without network', async () => {
  const { folder, paths } = files(CLASS)
  const file = join(folder, 'class.html')
  const { status, stdout } = await runMinilab(['class', 'report', '--html', file, ...paths])
  expect({ status, says: stdout.includes(file) }).toEqual({ status: 0, says: true })
  const text = readFileSync(file, 'utf8')
  const page = parseHtml(text) // well-formed: throws where a name got out of its place

  // nothing is run, nothing is fetched
  const tags = new Set(everything(page).map(({ tag }) => tag))
  for (const tag of ['script', 'link', 'img', 'iframe', 'object', 'base', 'form'])
    expect(tags).not.toContain(tag)
  const attributes = everything(page).flatMap(element => Object.entries(element.attributes))
  expect(attributes.filter(([name]) => /^(on|src|href|style|action|data)/.test(name))).toEqual([])
  expect(text).not.toMatch(/https?:|url\(|@import|\/\//)
  expect(attributes).toContainEqual(['content', "default-src 'none'; style-src 'unsafe-inline'"])
  expect(all(page, 'html')[0]!.attributes.lang).toBe('en')
  expect(text).toContain('prefers-color-scheme: dark')
  expect(text).toContain('@media print')

  // every table has a caption and every row and column a header
  for (const table of all(page, 'table')) {
    expect(all(table, 'caption')).toHaveLength(1)
    const [head, ...rows] = all(table, 'tr')
    const headers = all(head!, 'th')
    expect(headers.every(({ attributes: { scope } }) => scope === 'col')).toBe(true)
    for (const row of rows) {
      const cells = row.children.filter(cell => typeof cell !== 'string')
      expect(cells).toHaveLength(headers.length)
      expect(cells.map(({ tag }) => tag)).toEqual(['th', ...cells.slice(1).map(() => 'td')])
      expect(cells[0]!.attributes.scope).toBe('row')
      // colour is never the only sign
      for (const cell of cells) expect(textOf(cell)).not.toBe('')
    }
  }

  const [progress, map] = tables(page)
  expect(progress!.map(([name]) => name)).toEqual([
    'Learner',
    'Ada',
    // what turns the direction of writing, or is no character, is shown as none
    `Bobby"><script>alert('1')</script>&\uFFFD[31m\uFFFD\uFFFD x`,
    'Cyd',
    'Dan',
  ])
  const [, row] = map!
  expect(row![0]).toBe(`3 root: ${check}`)
  expect(row!.slice(1, 3)).toEqual(['3', `fails, ✘ 9× h3 ${hard.title}: ${diagnosis(4026531840)}`])
  expect(row![5]).toBe('· not there yet')
  expect(row![6]).toBe(`${diagnosis(4026531840)} (2 of 3)`)

  // the diagnosis opens by keyboard: <details> does by itself
  const details = all(page, 'details')
  expect(details).toHaveLength(3)
  const firstOf = ({ children }: Element) => children.find(child => typeof child !== 'string')
  expect(details.map(firstOf).map(first => first?.tag)).toEqual(details.map(() => 'summary'))
})

test('the page: what is passed, what was given up, and nobody failing', () => {
  const gaveUp = handedIn('Eve')
  Object.assign(gaveUp.exercises.find(({ number }) => number === 3)!.tasks[1]!, { state: 'gave up' })
  const passed = handedIn('Fay')
  Object.assign(passed.exercises.find(({ number }) => number === 3)!.tasks[1]!, {
    state: 'passed',
    passed: '2026-11-22',
  })
  const { paths } = files({ 'a.json': CLASS['ada.json'], 'e.json': gaveUp, 'f.json': passed })
  const read = readClass(paths, labs)
  const [, map] = tables(parseHtml(classPage(read, new Date())))
  expect(map![1]!.slice(3, 5)).toEqual(['◆ solution read', '✔ passed'])
  expect(textOf(parseHtml(classPage(readClass([paths[2]!], labs), new Date())))).toContain('No one fails')
})

test('a page that cannot be written is one line, and no file', async () => {
  const { folder, paths } = files(CLASS)
  const file = join(folder, 'none/class.html')
  const { status, stderr } = await runMinilab(['class', 'report', '--html', file, ...paths])
  expect(status).toBe(2)
  expect(stderr).toMatch(/^minilab: cannot write .*class\.html.*\n$/)
  expect(existsSync(file)).toBe(false)
})
