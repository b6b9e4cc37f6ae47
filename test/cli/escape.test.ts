import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Cell } from '../../lib/guide/escape/attack.ts'
import { attacks } from '../../lib/guide/escape/attacks.ts'
import { treeDigest } from '../../lib/image/tree-digest.ts'
import { mountinfo } from '../../lib/kernel/mount/mountinfo.ts'
import { ifReadable, pids } from '../../lib/kernel/process/procfs.ts'
import type { Leak } from '../support/leaky.ts'
import { isolated } from '../support/isolated.ts'
import { isRoot, runMinilab, type UserName, modesOf, userData } from '../support/minilab.ts'

const LONG = 120_000
const ENTRY = join(import.meta.dirname, '../../bin.mjs')

interface Ladder {
  mode: string
  cells: Cell[]
}

/** What of the machine no attack may have changed. */
function machine(data: string) {
  const { ino, size, mtimeNs } = statSync(process.execPath, { bigint: true })
  return {
    mounts: mountinfo().map(mount => `${mount.type} ${mount.target}`),
    node: [ino, size, mtimeNs],
    images: globSync(join(data, 'layers/*/diff')).map(layer => treeDigest(layer).hash),
    panic: readFileSync('/proc/sys/kernel/panic', 'utf8'),
    disks: globSync('/sys/block/loop*/loop/backing_file').filter(path =>
      readFileSync(path, 'utf8').includes('disk.ext4'),
    ),
    processes: pids().filter(pid => isOurs(pid, data)),
    ledgers: globSync(join(data, 'ledger/*')),
    containers: globSync(join(data, 'containers/*')),
  }
}

/** Whether a process has got our data folder from us: of those that the test has started. */
function isOurs(pid: number, data: string): boolean {
  const environment = ifReadable(() => readFileSync(`/proc/${pid}/environ`, 'latin1'))
  return pid !== process.pid && environment !== undefined && environment.includes(data)
}

const ways: [name: string, user: UserName, args: string[]][] = [
  ...(isRoot
    ? ([
        ['as root', 'root', []],
        ['as root, rootless', 'root', ['--rootless']],
      ] as [string, UserName, string[]][])
    : []),
  ['as an ordinary user', 'ordinary', []],
]

describe.each(modesOf(ways))('escape %s', (name, user, args) => {
  test(
    'a ladder from red to green, and the machine stays as it was',
    async () => {
      const data = userData(user)
      await runMinilab(['run', '--rm', 'default', 'true'], { user, data }) // so that there is an image to look after
      const before = machine(data)
      const place = user === 'root' ? await isolated() : undefined
      const wrapper = place?.wrapper ?? []
      const ran = await runMinilab(['escape', '--json', ...args], { user, data, wrapper })
      expect(ran.stderr).toBe('')
      expect(ran.status).toBe(0)
      const { mode, cells } = JSON.parse(ran.stdout) as Ladder
      expect(mode).toBe(name === 'as root' ? 'root' : 'rootless')

      expect(cells.map(({ attack, chapter }) => `${attack} ${chapter}`).sort()).toEqual(
        [1, 2, 3, 4, 5, 6, 7].flatMap(n => attacks.map(({ id }) => `${id} ${n}`)).sort(),
      )
      for (const cell of cells) {
        expect(cell.evidence).not.toBe('')
        expect(cell.limited === null, JSON.stringify(cell)).toBe(cell.stopped !== null)
      }
      const of = (attack: string, chapter: number) =>
        cells.find(cell => cell.attack === attack && cell.chapter === chapter)!
      for (const { id } of attacks) expect(of(id, 7).stopped, JSON.stringify(of(id, 7))).not.toBe(false)
      const hasLimits = of('memory', 4).stopped !== null
      const last = cells.filter(({ chapter }) => chapter === 7)
      expect(last.filter(cell => cell.stopped === null).map(cell => cell.attack)).toEqual(
        hasLimits ? [] : ['raise-limit', 'fork-bomb', 'memory'],
      )
      // what chapter 1 leaves open; the rest depends on whose the kernel, the disk and our own program are
      const open = ['chroot', 'kill', 'proc-root', 'raise-limit', 'fork-bomb', 'memory', 'image', 'neighbour']
      for (const attack of [...open, 'ptrace']) expect(of(attack, 1).stopped, attack).toBe(false)
      if (name === 'as root') {
        const never = attacks.filter(({ id }) => !cells.some(c => c.attack === id && c.stopped === false))
        // proved below; and this kernel may have no modules
        const excused = [
          'descriptor',
          'typing',
          'kill-group',
          ...(of('module', 1).stopped === null ? ['module'] : []),
        ]
        expect(never.map(({ id }) => id).sort()).toEqual(excused.sort())
      }
      for (const [attack, closedBy] of [
        ['chroot', 3],
        ['kill', 2],
        ['proc-root', 2],
        ['ptrace', 2],
        ['image', 5],
      ] as const)
        for (let n = closedBy; n <= 7; n++) expect(of(attack, n).stopped, `${attack} ${n}`).toBe(true)
      expect(of('neighbour', 6).stopped).toBe(false)

      expect(machine(data)).toEqual(before)
      expect(place?.links() ?? ['lo']).toEqual(['lo'])
      expect(place?.cgroups() ?? []).toEqual([])
    },
    LONG,
  )

  test('one chapter, for people to read', { timeout: LONG }, async () => {
    const data = userData(user)
    const ran = await runMinilab(['escape', '6', '--plain', ...args], { user, data })
    expect(ran.status).toBe(0) // that something gets through there is what it is for
    expect(ran.stdout).toMatch(/✘ {2}6 {4}connect\(.*\) = 0; its\s+listener\s+was\s+called\s+from\s+10\./)
    expect(ran.stdout).toMatch(/✘ \d+ of 17 attacks gets? through in chapter 6/)
    for (const line of ran.stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(88)
    expect(ran.stdout).not.toContain('\u001b')
    for (const { title } of attacks) expect(ran.stdout).toContain(title)
  })
})

test(
  'attacks that chapter 1 stops are real: each gets through where a single call is missing',
  { timeout: LONG },
  () => {
    const apart = ['--mount', '--pid', '--fork', '--mount-proc', '--net', '--uts', '--ipc']
    const said = execFileSync(
      'unshare',
      [
        ...(isRoot ? [] : ['--user', '--map-root-user']),
        ...apart,
        process.execPath,
        join(import.meta.dirname, '../support/leaky.ts'),
      ],
      { encoding: 'utf8', env: { ...process.env, MINILAB_DATA: userData() } },
    )
    const outcomes = said
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as Leak)
    const legacy = readFileSync('/proc/sys/dev/tty/legacy_tiocsti', 'utf8').trim() === '1'
    expect(outcomes.map(({ attack, without, stopped }) => [attack, without, stopped])).toEqual([
      ['descriptor', 'close_range', false],
      ['descriptor', null, true],
      ['typing', 'setsid', !legacy], // else the kernel allows it to nobody but CAP_SYS_ADMIN
      ['typing', null, true],
      ['kill-group', 'setsid', false],
      ['kill-group', null, true],
    ])
  },
)

test(
  'killed in the midst of it, it leaves only what the next command takes back',
  { timeout: LONG },
  async () => {
    const data = userData()
    const place = isRoot ? await isolated() : undefined
    const wrapper = place?.wrapper ?? []
    await runMinilab(['run', '--rm', 'default', 'true'], { data, wrapper })
    const before = machine(data)
    const [command = '', ...rest] = [...wrapper, process.execPath, ENTRY, 'escape', '--plain']
    const child = spawn(command, rest, {
      env: { ...process.env, MINILAB_DATA: data },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    for await (const chunk of child.stdout) {
      said += String(chunk)
      if (!said.includes('chapter 3')) continue
      break // the container of chapter 4 is being attacked
    }
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
    // all processes of the sandbox are gone with it
    await expect.poll(() => pids().filter(pid => isOurs(pid, data)), { timeout: 60_000 }).toEqual([])
    expect(existsSync(join(data, 'ledger'))).toBe(true)
    const cleaned = await runMinilab(['clean', '--json'], { data, wrapper })
    expect(cleaned.status).toBe(0)
    expect(machine(data)).toEqual(before)
    expect(place?.cgroups() ?? []).toEqual([])
    expect(place?.links() ?? ['lo']).toEqual(['lo'])
  },
)

test('a chapter that is not there', async () => {
  const { status, stderr } = await runMinilab(['escape', '8'])
  expect(status).toBe(2)
  expect(stderr).toBe('minilab: there is no chapter "8": name one of 1 to 7, or leave it out for all\n')
})
