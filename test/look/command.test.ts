import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Chalk } from 'chalk'
import { describe, expect, test } from 'vitest'
import { drawTerminal } from '../../lib/look/draw-terminal.ts'
import { clean, columns, cut, cutPath } from '../../lib/look/terminal-text.ts'
import { snapshot } from '../../lib/look/snapshot.ts'
import type { Snapshot } from '../../lib/look/snapshot-shape.ts'
import { runMinilab, self, thorough } from '../support/minilab.ts'
import { noTmux, Terminal } from '../support/terminal.ts'
import { container, BUSY } from './support.ts'

const user = self

describe('which one', () => {
  test('none runs: one line that says what to do', async () => {
    const { stdout, stderr, status } = await runMinilab(['look'])
    expect({ stdout, status }).toEqual({ stdout: '', status: 2 })
    expect(stderr).toMatch(/^minilab: no container is running: .*minilab run -d .*minilab step 3 --keep.*\n$/)
  })

  test('the only one; of several a line each; by name, id, begin of the id, pid', async () => {
    const first = await container(['--name', 'first'], 'sleep 1000')
    const of = { user: first.user, data: first.data }
    expect((await runMinilab(['look'], of)).stdout).toContain(`━━ first ━━`)

    const { pid, id } = await container(['--name', 'second'], 'sleep 1001', of)
    const { stdout, status } = await runMinilab(['look'], of)
    expect(status).toBe(0)
    const lines = stdout.trimEnd().split('\n')
    expect(lines[0]).toContain('2 containers are running')
    expect(
      lines.slice(1).map(line => /minilab look (\S+) +\S+ +(\d+) +1 process/.exec(line)?.slice(1)),
    ).toEqual([
      ['first', String(first.pid)],
      ['second', String(pid)],
    ])
    for (const word of ['second', id, id.slice(0, 11), String(pid)]) {
      const seen = JSON.parse((await runMinilab(['look', word, '--json'], of)).stdout) as Snapshot
      expect(seen.pid).toBe(pid)
    }
    const unclear = await runMinilab(['look', '--json'], of)
    expect(unclear).toMatchObject({ stdout: '', status: 2 })
    expect(unclear.stderr).toContain(
      '2 containers are running: say which: minilab look first, or minilab look second',
    )
    const wrong = await runMinilab(['look', 'secnd'], of)
    expect(wrong).toMatchObject({
      status: 2,
      stderr: 'minilab: there is no container "secnd": did you mean second?\n',
    })
  })

  test('one that has ended, a pid that nobody has, two wishes at once', async () => {
    const { name, data } = await container([], 'sleep 1000')
    await runMinilab(['kill', name], { user, data })
    await expect
      .poll(async () => (await runMinilab(['look', name], { user, data })).stderr, BUSY)
      .toMatch(/is not running: minilab ps/)
    const none = await runMinilab(['look', '4194303'], { user, data })
    expect(none).toMatchObject({ stdout: '', status: 2 })
    expect(none.stderr).toMatch(/^minilab: there is no container and no process "4194303": .*\n$/)
    expect((await runMinilab(['look', '--json', '--svg', 'x'], { user, data })).status).toBe(2)
  })
})

describe('--svg', () => {
  test('writes a file whole, in place of an older one, and nothing where it cannot', async () => {
    const { name, data, pid } = await container([], 'sleep 1000')
    const folder = join(data, 'pictures')
    mkdirSync(folder)
    const path = join(folder, 'a.svg')
    writeFileSync(path, 'older')
    expect(await runMinilab(['look', name, '--svg', path], { data })).toMatchObject({
      stdout: '',
      stderr: '',
      status: 0,
    })
    const drawing = readFileSync(path, 'utf8')
    expect(drawing).toMatch(/^<svg [^]*<\/svg>\s*$/)
    expect(drawing).toContain(`>${pid}</text>`)
    for (const bad of [join(folder, 'none/a.svg'), folder, '/dev/null']) {
      const { status, stderr } = await runMinilab(['look', name, '--svg', bad], { data })
      expect(status).toBeGreaterThan(1)
      expect(stderr).toMatch(/^minilab: [^\n]+: [^\n]+\n$/)
    }
    expect(readdirSync(folder)).toEqual(['a.svg'])
    const { stdout } = await runMinilab(['look', name, '--svg', '-'], { data })
    expect(stdout).toMatch(/^<svg [^]*<\/svg>\s*$/)
  })
})

describe.skipIf(noTmux)(`in a terminal${noTmux}`, () => {
  test.each([80, ...thorough([60, 120, 170])])('of %i columns no line is longer', async width => {
    const script =
      ': "日本語 ünïcode 🐳 \x1b[2J\x07 and so on, far beyond the end of any line that anybody has"; sleep 1000'
    const { name, data } = await container(
      ['--memory', '64m'].slice(user === 'root' ? 0 : 2),
      `${script} & wait`,
    )
    const terminal = new Terminal({ MINILAB_DATA: data, HOME: data }, { columns: width, rows: 100 })
    terminal.minilab(`look ${name}`)
    await terminal.shows('minilab view')
    // as it stands on the screen: a line that was too long would go on in the next, and its border with it
    const lines = terminal.screen().trimEnd().split('\n')
    const top = lines.findIndex(line => line.startsWith('━━'))
    const drawn = lines.slice(
      top + 2,
      lines.findIndex(line => line.includes('as a picture')),
    )
    expect(drawn.length).toBeGreaterThan(30)
    for (const line of drawn) expect(line).toMatch(/^[╭│╰].*[╮│╯]$/)
    expect(Math.max(...lines.slice(top).map(columns))).toBeLessThanOrEqual(width)
    for (const title of ['processes', 'namespaces', 'root file system', 'limits', 'network', 'rights'])
      expect(drawn.join('\n')).toContain(`─ ${title}`)
  })

  test('--plain has no colour, and 88 columns wherever it goes', async () => {
    const { name, data } = await container([], 'sleep 1000')
    const { stdout } = await runMinilab(['look', name, '--plain'], { data, env: { FORCE_COLOR: '1' } })
    expect(stdout).not.toContain('\x1b')
    expect(Math.max(...stdout.split('\n').map(line => line.length))).toBe(88)
  })
})

test.each([60, 80, 120])(
  'of %i columns: whatever cannot be read, and however long its name is, it fits',
  async width => {
    const notReadable = `/${'very-long'.repeat(40)} (EACCES): another user's`
    const seen = (await snapshot(process.pid, 'x'.repeat(300)))!
    const [first] = seen.processes.roots
    const link = {
      ...unknownLink,
      name: 'a'.repeat(15),
      addresses: Array<string>(9).fill('fe80::d41d:1ff:feb8:7f23/64'),
    }
    const drawn = drawTerminal(
      {
        ...seen,
        processes: {
          ...seen.processes,
          why: notReadable,
          roots: [
            {
              ...first!,
              command: '日本'.repeat(200),
              state: 'R',
              stateName: 'running',
              threads: 70,
              uid: 4294967294,
              uidInside: null,
            },
          ],
        },
        namespaces: seen.namespaces.map(view => ({ ...view, own: { notReadable }, inode: { notReadable } })),
        mounts: { notReadable },
        cgroup: { ...seen.cgroup, frozen: { notReadable } },
        network: { own: true, links: [link], limited: notReadable, defaultRoute: null, outside: null },
        security: { ...seen.security, uidMap: { notReadable } },
      },
      width,
      new Chalk({ level: 2 }),
    )
    expect(drawn.join('\n')).toContain('\x1b[')
    expect(drawn.filter(line => columns(line) > width)).toEqual([])
    expect(drawn.join('\n').match(/not readable/g)!.length).toBeGreaterThan(8)
  },
)
const unknownLink = {
  index: null,
  kind: null,
  up: null,
  running: null,
  mtu: null,
  mac: null,
  rxPackets: 1e12,
  rxBytes: 1e15,
  txPackets: 1e12,
  txBytes: 1e15,
}

test('columns of a terminal: wide characters take two, what moves the cursor is written out', () => {
  expect([columns('abc'), columns('日本'), columns('🐳'), columns('\x1b[31mred\x1b[0m')]).toEqual([
    3, 4, 2, 3,
  ])
  expect(clean('a\x1b[2J\u202eb\ufffe')).toBe('a\\u001b[2J\\u202eb\\ufffe')
  expect([cut('日本語', 4), cut('abc', 3), cut('abcd', 3), cut('a', 0)]).toEqual(['日…', 'abc', 'ab…', ''])
  expect(cutPath('/a/long/path', 6)).toBe('…/path')
})
