import { spawnSync } from 'node:child_process'
import {
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Report, TapeEntry } from '../../lib/guide/step.ts'
import type { Trace } from '../../lib/guide/trace.ts'
import {
  isRoot,
  ORDINARY,
  type Ran,
  runMinilab,
  userFolder,
  users,
  userData,
  thorough,
  few,
} from '../support/minilab.ts'
import { straced } from '../support/strace.ts'
import { noTmux, Terminal } from '../support/terminal.ts'
import { nanoseconds, rowsOf, type Slice, traceProblems, type TraceRow } from '../support/trace-format.ts'

const tried = spawnSync('strace', ['-o', '/dev/null', 'true'])
const noStrace = tried.status === 0 ? '' : ' (strace cannot trace here: apt-get install strace)'

const OWN = "the step's own container"
const load = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as Trace

/** A row of a trace as `--json` would tell it: without the slice around all and the clone3, times from that on. */
function told({ name, slices: [whole, ...slices] }: TraceRow): { purpose: string; tape: TapeEntry[] } {
  const entry = ({ name: call, ts, dur, args: { call: text, result, errno } }: Slice): TapeEntry => ({
    call,
    args: String(text).slice(call.length + 1, String(text).lastIndexOf(') = ')),
    result: result as number | null,
    errno: errno as string | null,
    start: nanoseconds(ts) - nanoseconds(whole!.ts),
    ns: nanoseconds(dur),
  })
  return { purpose: name, tape: slices.filter(({ cat }) => cat !== 'clone').map(entry) }
}

/** All that a report tells of children; what we asked the kernel ourselves has no start. */
const launches = ({ tape, launches }: Report) =>
  [{ purpose: OWN, tape }, ...launches].filter(({ tape: [first] }) => first && first.start !== null)

const sorted = (all: { purpose: string; tape: TapeEntry[] }[]) =>
  all.map(one => JSON.stringify(one)).toSorted()

describe.each(users)('as %s', user => {
  test.each([3, ...thorough([1, 6, 7])])(
    '--trace of step %i is the tapes of --json, call by call',
    async step => {
      const folder = userFolder(user)
      const file = join(folder, 'trace.json')
      const ran = await runMinilab(['step', String(step), '--json', '--trace', file], { user })
      expect(ran.stderr).toBe('')
      const made = load(file)
      expect(traceProblems(made)).toEqual([])
      const [host, ...rows] = rowsOf(made)
      const [report] = ran.json()
      expect(sorted(rows.map(told))).toEqual(sorted(launches(report!)))
      // each call begins where the one before ends; together they are no more than what is around them
      for (const {
        slices: [whole, ...calls],
      } of rows) {
        // oxfmt-ignore
        const ends = calls.map(({ ts, dur }) => nanoseconds(ts) + nanoseconds(dur))
        expect(calls.slice(1).map(({ ts }) => nanoseconds(ts))).toEqual(ends.slice(0, -1))
        expect(ends.at(-1)).toBe(nanoseconds(whole!.ts) + nanoseconds(whole!.dur))
      }
      // what we did for a part, we did after some child had said that it is at its gate, and before it went on
      const waits = rows.flatMap(({ slices }) =>
        slices.flatMap(({ name, ts, dur }, i) =>
          name === 'read' ? [{ from: slices[i - 1]!.ts, to: ts + dur }] : [],
        ),
      )
      const attached = host!.slices.filter(({ name }) => name.endsWith(': attach'))
      expect(attached.length).toBeGreaterThan(step === 1 ? -1 : 0)
      for (const { name, ts, dur } of attached)
        expect(waits.filter(({ from, to }) => from <= ts && ts + dur <= to).length, name).toBe(1)
      expect(readdirSync(folder)).toEqual(['trace.json'])
      expect(statSync(file).uid).toBe(user === 'ordinary' && isRoot ? ORDINARY.uid : process.getuid?.())
    },
  )

  test('--trace - is the trace, and nothing else, on stdout; also from the sandbox', async () => {
    for (const step of ['1', '6']) {
      const { stdout, stderr } = await runMinilab(['step', step, '--trace', '-'], { user })
      expect(stderr).toBe('')
      expect(traceProblems(JSON.parse(stdout))).toEqual([])
    }
  })

  test.skipIf(noStrace)(`strace saw the same calls in the same order${noStrace}`, async () => {
    const folder = userFolder(user)
    const file = join(folder, 'trace.json')
    const wrapper = straced(join(folder, 'seen'))
    expect(await runMinilab(['step', '1', '--json', '--trace', file], { user, wrapper })).toMatchObject({
      status: 0,
    })
    const rows = rowsOf(load(file))
    const own = rows.find(({ name }) => name === OWN)!
    const clone = own.slices.find(({ cat }) => cat === 'clone')!
    const seen = readFileSync(join(folder, `seen.${String(clone.args.result)}`), 'utf8')
    // by mmap the second stage gets its tape, on which it is not
    const calls = [...seen.matchAll(/^([\d.]+) (\w+)\(/gm)]
      .map(([, time, call]) => ({ time: Number(time), call }))
      .filter(({ call }) => call !== 'mmap')
    const tape = own.slices.slice(2)
    expect(calls.slice(0, tape.length).map(({ call }) => call)).toEqual(tape.map(({ name }) => name))
    // in the order of time, by our stamps as by strace's
    const orders = [tape.map(({ ts }) => ts), calls.slice(0, tape.length).map(({ time }) => time)]
    for (const times of orders) expect(times).toEqual(times.toSorted((a, b) => a - b))
  })

  test('--waterfall: clone3 first, execve last, no wider than promised', async () => {
    for (const step of ['1', '6']) {
      const ran = await runMinilab(['step', step, '--yes', '--plain', '--waterfall'], { user })
      expect(ran.stderr).toBe('')
      const lines = ran.stdout.slice(ran.stdout.indexOf('   Where the ')).split('\n')
      const rows = lines.filter(line => /[▏▎▍▌▋▊▉█]$/.test(line)).map(line => line.trim().split(/[ (]/)[0])
      expect([rows[0], rows.at(-1)]).toEqual(['clone3', 'execve'])
      expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(88)
      expect(
        lines.filter(line => /read: the child waits for us .*├┄ 0 µs ┄+ [\d.]+ [µm]?s ┄┤/.test(line)),
      ).toHaveLength(1)
    }
  })
})

/** Refused in one line, before anything was made. */
function expectRefused(ran: Ran, line: RegExp, data: string): void {
  expect(ran).toMatchObject({ status: 2, stdout: '' })
  expect(ran.stderr).toMatch(/^minilab: [^\n]+\n$/)
  expect(ran.stderr).toMatch(line)
  expect(existsSync(data)).toBe(false)
}

describe('refused before the step runs', () => {
  test.each(
    few(4, [
      [
        '1 --trace /minilab/missing/x',
        /"\/minilab\/missing\/x" cannot be written \(ENOENT\): give --trace a file/,
      ],
      ['1 --trace /dev/null', /"\/dev\/null" is not a regular file/],
      ['1 --trace /', /"\/" is not a regular file/],
      ['1 --trace', /argument missing/],
      ['all --trace x', /a trace covers one step/],
      ['1 --json --trace -', /--json and --trace - both write to stdout/],
      ['1 --json --waterfall', /--waterfall draws in the terminal/],
      ['1 --trace - --waterfall', /--waterfall draws in the terminal/],
      [
        '3 --mutant chroot --waterfall',
        /only the standard step: leave out --runtime, --mutant and --without/,
      ],
      ['3 --without pivot_root --trace x', /only the standard step/],
      ['2 --runtime runc --waterfall', /only the standard step/],
      ['1 --dry-run --waterfall', /need a step that runs/],
    ]),
  )('step %s', async (words, line) => {
    const data = join(userFolder(), 'absent')
    expectRefused(await runMinilab(['step', ...words.split(' ')], { data }), line, data)
  })

  test('a symbolic link, even to a file', async () => {
    const folder = userFolder()
    const [file, link] = [join(folder, 'file'), join(folder, 'link')]
    writeFileSync(file, 'before')
    symlinkSync(file, link)
    const data = join(folder, 'absent')
    expectRefused(await runMinilab(['step', '1', '--trace', link], { data }), /is not a regular file/, data)
    expect(readFileSync(file, 'utf8')).toBe('before')
  })

  test.skipIf(!isRoot)('a folder of somebody else (only as root)', async () => {
    const folder = userFolder('root')
    const data = join(userFolder('ordinary'), 'absent')
    const ran = await runMinilab(['step', '6', '--trace', join(folder, 'x')], { user: 'ordinary', data })
    expectRefused(ran, /cannot be written \(EACCES\)/, data)
  })
})

test('a trace is whole or as it was: of a step that did not come to its end there is none', async () => {
  const folder = userFolder()
  const file = join(folder, 'trace.json')
  writeFileSync(file, 'before')
  const failed = await runMinilab(['step', '3', '--yes', '--trace', file, '--', '/minilab/missing'])
  expect(failed.status).toBe(127)
  expect([readFileSync(file, 'utf8'), readdirSync(folder)]).toEqual(['before', ['trace.json']])
  expect((await runMinilab(['step', '3', '--yes', '--trace', file])).stderr).toBe('')
  expect(traceProblems(load(file))).toEqual([])
  expect(readdirSync(folder)).toEqual(['trace.json'])
})

test.skipIf(!isRoot)(
  'under sudo it belongs to who called it, else to whom the folder belongs (only as root)',
  async () => {
    const folder = userFolder('root')
    const [file, other] = [join(folder, 'a'), join(userFolder('ordinary'), 'b')]
    await runMinilab(['step', '1', '--json', '--trace', file], {
      env: { SUDO_UID: '1234', SUDO_GID: '1235' },
    })
    expect(statSync(file)).toMatchObject({ uid: 1234, gid: 1235 })
    await runMinilab(['step', '1', '--json', '--trace', other])
    expect(statSync(other)).toMatchObject(ORDINARY)
    // and to the same when the step itself runs in the sandbox, where other users' folders are closed to it
    chownSync(folder, 1234, 1235)
    await runMinilab(['step', '6', '--rootless', '--json', '--trace', join(folder, 'c')])
    expect(statSync(join(folder, 'c'))).toMatchObject({ uid: 1234, gid: 1235 })
  },
)

test.skipIf(noTmux)(`in a terminal of 80 columns nothing is wrapped${noTmux}`, async () => {
  const terminal = new Terminal({ MINILAB_DATA: userData() }, { columns: 80, rows: 40 })
  terminal.minilab('step 3 --yes --waterfall')
  await terminal.shows(/The three longest\n.*\n.*\n.*%.*\n/)
  const screen = terminal.screen()
  const lines = screen.slice(screen.indexOf('   Where the ')).split('\n')
  expect(Math.max(...lines.map(line => line.trimEnd().length))).toBeLessThanOrEqual(80)
  expect(lines.filter(line => /pivot_root\("\.", "\."\) .*µs .*[▏▎▍▌▋▊▉█]/.test(line))).toHaveLength(1)
})
