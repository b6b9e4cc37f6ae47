import { execFileSync, spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { namespaceInode, startTime } from '../../lib/kernel/process/procfs.ts'
import { snapshot } from '../support/canary.ts'
import { isolated } from '../support/isolated.ts'
import { isRefusal, runMany } from '../support/many-runs.ts'
import { identity, isRoot, runMinilab, userFolder, type UserName, users } from '../support/minilab.ts'
import { JUNK, Seeded } from '../support/seeded.ts'
import { stateOf } from '../support/state.ts'

const GOOD = '900d900d900d'

/** A data folder with a good container, a canary beside it, and a process that nobody may kill. */
async function surroundings(user: UserName) {
  const folder = userFolder(user)
  const [data, canary] = [join(folder, 'data'), join(folder, 'canary')]
  for (const path of [
    join(data, 'containers', GOOD),
    join(data, 'logs'),
    join(data, 'ledger'),
    join(canary, 'empty'),
  ])
    mkdirSync(path, { recursive: true })
  for (const path of [join(canary, 'file'), join(data, 'logs/good.log')]) writeFileSync(path, 'alive')
  const good = stateOf(GOOD, { log: join(data, 'logs/good.log') })
  writeFileSync(join(data, 'containers', GOOD, 'state.json'), JSON.stringify(good))
  const victim = spawn('sleep', ['1000'], identity(user))
  onTestFinished(() => void victim.kill('SIGKILL'))
  const place = user === 'root' ? await isolated() : undefined
  const own = (...paths: string[]) => {
    if (isRoot && user === 'ordinary') execFileSync('chown', ['-Rh', '65534:65534', ...paths])
  }
  own(data, canary)
  const guarded = () => [canary, join(data, 'containers', GOOD)].map(snapshot)
  const before = guarded()
  return {
    ...{ data, canary, victim: victim.pid!, own },
    options: { user, data, wrapper: place?.wrapper ?? [] },
    expectUntouched() {
      expect(guarded()).toEqual(before)
      expect(readFileSync(join(data, 'logs/good.log'), 'utf8')).toBe('alive')
      expect([victim.exitCode, victim.signalCode]).toEqual([null, null])
    },
  }
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** The same document with one of its values, anywhere in it, replaced by something else. */
function mutate(document: Json, random: Seeded): Json {
  if (typeof document !== 'object' || document === null || random.chance(15))
    return random.pick<Json>([
      null,
      true,
      -1,
      0.5,
      1e300,
      '',
      [],
      {},
      [null],
      { length: 3 },
      random.pick(JUNK),
    ])
  if (Array.isArray(document)) {
    const at = random.below(document.length + 1)
    return document.toSpliced(at, 1, mutate(document[at] ?? null, random))
  }
  const key = random.pick(Object.keys(document))
  const { [key]: old = null, ...rest } = document
  return random.chance(15) ? rest : { ...document, [key]: mutate(old, random) }
}

/** What can become of a file: by its path, its text, and the canary's folder. */
type Damage = (path: string, text: string, canary: string, random: Seeded) => void
const written =
  (change: (text: string, canary: string, random: Seeded) => string | Buffer): Damage =>
  (path, text, canary, random) =>
    writeFileSync(path, change(text, canary, random))

const ANYTHING: Record<string, Damage> = {
  empty: written(() => ''),
  zeros: written(() => Buffer.alloc(1000)),
  'cut off': written((text, _, random) => text.slice(0, random.below(text.length))),
  'a byte changed': written((text, _, random) => {
    const bytes = Buffer.from(text)
    bytes[random.below(bytes.length)] = random.below(256)
    return bytes
  }),
  'many bytes changed': written((text, _, random) =>
    Buffer.from(Buffer.from(text).map(byte => (random.chance(5) ? random.below(256) : byte))),
  ),
  'something else in JSON': written((_text, _canary, random) =>
    random.pick(['null', '[]', '0', '"x"', '{}', '[[]]']),
  ),
  'endlessly nested': written(() => '['.repeat(20_000)),
  'a directory': path => mkdirSync(path),
  'a FIFO': path => void execFileSync('mkfifo', [path]),
  'beyond all size': path => (writeFileSync(path, ''), truncateSync(path, 2 ** 40)),
  'a link to a file outside': (path, _text, canary) => symlinkSync(join(canary, 'file'), path),
  'a link to itself': path => symlinkSync(path, path),
}

const changed =
  (change: (canary: string, victim: number) => object): Damage =>
  (path, text, canary) => {
    const victim = Number(/"victim":(\d+)/.exec(text)?.[1])
    writeFileSync(path, JSON.stringify({ ...(JSON.parse(text) as object), ...change(canary, victim) }))
  }

const OF_A_STATE: Record<string, Damage> = {
  ...ANYTHING,
  'one of its values changed': written((text, _, random) =>
    JSON.stringify(mutate(JSON.parse(text) as Json, random)),
  ),
  'the id of another': changed(() => ({ id: GOOD })),
  'an id that leads out': changed(() => ({ id: '../../canary' })),
  'a log outside': changed(canary => ({ log: join(canary, 'file') })),
  'a log that climbs': changed(canary => ({ log: `${canary}/../data/logs/../../canary/file` })),
  'a process without its start': changed((_, victim) => ({ pid: victim, started: null })),
  "another's process": changed((_, victim) => ({ pid: victim })),
  'every process': changed(() => ({ pid: -1 })),
  'a keeper without its start': changed((_, victim) => ({ keeper: { pid: victim } })),
  'escape sequences': changed(() => ({
    name: 'x\x1b[2J\nfake',
    command: ['\x1b]0;title\x07'],
    image: '\u202e',
  })),
}

const seedOf = (random: Seeded) => ({ seed: random.seed })

describe.each(users)('as %s', user => {
  test('a damaged state.json stops no command, none believes it, and rm -f removes it', async () => {
    const { data, canary, victim, own, options, expectUntouched } = await surroundings(user)
    const random = new Seeded(20261123)
    const again = Array<string>(12).fill('one of its values changed')
    const bytes = Array<string>(5).fill('a byte changed')
    const damages = [...Object.keys(OF_A_STATE), ...again, ...bytes]
    const ids = damages.map((_, i) => `bad${i.toString(16).padStart(9, '0')}`)
    for (const [i, id] of ids.entries()) {
      const folder = join(data, 'containers', id)
      mkdirSync(join(folder, 'upper'), { recursive: true })
      const text = JSON.stringify({ ...stateOf(id), victim })
      OF_A_STATE[damages[i]!]!(join(folder, 'state.json'), text, canary, random)
      own(folder)
    }
    const about = (id: string) => [
      ...[
        ['logs', id],
        ['kill', id],
        ['exec', '-e', 'A=1', id, 'true'],
        ['rm', id],
      ],
      ['exec', '-u', 'root', '-w', '/', id, 'true'],
    ]
    const all = [['ps'], ['ps', '-a'], ['ps', '-a', '--json'], ['clean', '--json'], ['rm', '-f', 'nobody']]
    const listed = ['ps', '-a', '--json']
    const commands = [...all, ...ids.flatMap(about), ...ids.map(id => ['rm', '-f', id]), listed]
    const answers = await runMany(commands, options)

    for (const answer of answers.slice(0, 4)) {
      // clean looks at the whole machine, on which other tests are just killing and removing
      const statuses = answer.args[0] === 'clean' ? [0, 3] : [0]
      expect(statuses, JSON.stringify({ ...seedOf(random), ...answer })).toContain(answer.status)
      expect(answer.stderr).toMatch(
        /^(minilab: [ -~]*damaged: minilab rm -f \w+ removes it\n|no container [^\n]*\n)*$/,
      )
      if (!answer.args.includes('--json')) expect(answer.stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\u202e]/) // eslint-disable-line no-control-regex
    }
    const rows = (i: number) => (JSON.parse(answers.at(i)!.stdout) as { id: string }[]).map(({ id }) => id)
    expect(rows(2)).toContain(GOOD)
    const unclear = answers.slice(4).filter(answer => !isRefusal(answer) && answer.status !== 0)
    expect(
      unclear.map(answer => ({
        ...seedOf(random),
        damage: damages[ids.indexOf(answer.args.at(-1)!)],
        ...answer,
      })),
    ).toEqual([])
    const left = readdirSync(join(data, 'containers'))
    const kept = ids.filter(id => rows(-1).includes(id) || left.includes(id))
    expect(answers.filter(({ args }) => kept.some(id => args.includes(id)))).toEqual([])
    expect(rows(-1)).toEqual([GOOD])
    expect(readdirSync(join(data, 'containers'))).toEqual([GOOD])
    expectUntouched()
  })

  test('a container whose state.json was damaged while it runs is ended by rm -f', async () => {
    const { data, options, expectUntouched } = await surroundings(user)
    const minilab = (...args: string[]) => runMinilab(args, options)
    const id = (await minilab('run', '-d', '--network', 'none', 'default', 'sleep', '1000')).stdout.trim()
    const file = join(data, 'containers', id, 'state.json')
    const { pid, started } = JSON.parse(readFileSync(file, 'utf8')) as { pid: number; started: number }
    writeFileSync(file, 'no state at all')
    expect((await minilab('ps')).stderr).toContain(`minilab rm -f ${id}`)
    expect(await minilab('rm', id)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('may still be running') as string,
    })
    const { kept } = JSON.parse((await minilab('clean', '--json')).stdout) as { kept: { what: string }[] }
    expect(kept.map(({ what }) => what)).toContain(`folder ${join(data, 'containers', id)}`)
    expect(existsSync(`/proc/${pid}`) && startTime(pid)).toBe(started)
    expect(await minilab('rm', '-f', id)).toMatchObject({ status: 0, stdout: `${id}\n` })
    expect(existsSync(`/proc/${pid}`) && startTime(pid) === started).toBe(false)
    expect(readdirSync(join(data, 'containers'))).toEqual([GOOD])
    await minilab('clean')
    expect([readdirSync(join(data, 'ledger')), readdirSync(join(data, 'logs'))]).toEqual([[], ['good.log']])
    expectUntouched()
  })

  test('a damaged ledger stops no command, and makes none remove what is not ours', async () => {
    const { data, canary, victim, own, options, expectUntouched } = await surroundings(user)
    const random = new Seeded(20261124)
    const mine = join(data, 'containers', 'half-made-0')
    mkdirSync(mine)
    const netns = namespaceInode('self', 'net')
    const file = join(canary, 'file')
    const entries: object[] = [
      ...[
        '/',
        '/..',
        '.',
        canary,
        data,
        `${data}/containers`,
        `${data}/containers/..`,
        `${mine}/../${GOOD}/..`,
      ].map(path => ({ kind: 'folder', path })),
      { kind: 'folder', path: `${data}/containers/${GOOD}`, unless: 'state.json' },
      { kind: 'folder', path: [canary] },
      ...['container', 'parent', 'ourselves', 'x'].map(use => ({ kind: 'cgroup', path: canary, use })),
      { kind: 'cgroup', path: `/sys/fs/cgroup/../../..${canary}`, use: 'container' },
      { kind: 'controllers', path: file, enabled: ['alive'] },
      { kind: 'sysctl', path: file, before: 'dead', set: 'alive', netns },
      { kind: 'sysctl', path: `/proc/sys/net/../../..${file}`, before: 'dead', set: 'alive', netns },
      { kind: 'rules', probe: ['/bin/true'], remove: ['/bin/rm', '-rf', canary], netns },
      { kind: 'rules', tool: '/bin/rm', table: canary, netns },
      { kind: 'rules', tool: 'nft', table: 'filter', netns },
      { kind: 'rules', tool: 'iptables', table: 'nat', rule: ['PREROUTING', `--modprobe=${file}`], netns },
      {
        kind: 'rules',
        tool: 'iptables',
        table: 'filter',
        rule: ['FORWARD -i x -s 1.2.3.4 -j ACCEPT'],
        netns,
      },
      { kind: 'link', name: 'lo', netns },
      { kind: 'link', name: '../ml-x', netns },
      ...[
        { pid: victim },
        { pid: victim, started: null },
        { pid: -1, started: 1 },
        { pid: '1', started: 1 },
      ].map(process => ({ kind: 'process', ...process })),
      ...['__proto__', 'constructor', 'toString', 'nothing', '', 7, null].map(kind => ({
        kind,
        path: canary,
      })),
    ]
    const lines = [
      ...entries.map(entry => JSON.stringify(entry)),
      'null',
      '[]',
      '"x"',
      '{',
      '\0\0',
      '\xff',
      '[['.repeat(9999),
    ]
    const sound = JSON.stringify({ kind: 'folder', path: mine })
    const texts = [
      ...lines,
      [sound, ...lines].join('\n'),
      ...lines.map(line => line.slice(0, random.below(line.length))),
    ]
    const name = (i: number) => join(data, 'ledger', `4194303-${i}-00000000-0.jsonl`)
    for (const [i, text] of texts.entries()) writeFileSync(name(i), `${text}\n`)
    for (const [i, damage] of Object.values(ANYTHING).entries())
      damage(name(1000 + i), `${sound}\n`, canary, random)
    for (const stray of ['README', '1-2-3', 'x.jsonl', '-'.repeat(200)])
      writeFileSync(join(data, 'ledger', stray), sound)
    own(join(data, 'ledger'))
    own(mine)

    const commands = [
      ['ps'],
      ['clean', '--json'],
      ['clean', '--json'],
      ['run', '--rm', '--network', 'none', 'default', 'true'],
    ]
    const answers = await runMany(commands, options)
    expect(answers.map(({ status, stderr }) => [status, stderr.replace(/^no container.*\n/, '')])).toEqual(
      commands.map(() => [0, '']),
    )
    const removed = (i: number) => (JSON.parse(answers[i]!.stdout) as { removed: string[] }).removed
    expect(removed(1)).toContain(`folder ${mine}`)
    expect(removed(1)).toContain(`ledger ${name(0)}, with 1 damaged line`)
    expect(removed(2)).toEqual([])
    expect(readdirSync(join(data, 'ledger')).filter(path => path.startsWith('4194303'))).toEqual([])
    expect(existsSync(mine)).toBe(false)
    expectUntouched()
  })
  test('a damaged image stops nobody who does not ask for it', async () => {
    const { data, canary, own, options, expectUntouched } = await surroundings(user)
    const random = new Seeded(20261125)
    const image = {
      name: 'x',
      layers: [`sha256:${'0'.repeat(64)}`],
      config: { Cmd: ['true'], User: 'root' },
      created: '',
    }
    const damages = [...Object.keys(ANYTHING), ...Array<string>(20).fill('one of its values changed')]
    for (const [i, name] of damages.entries()) {
      mkdirSync(join(data, 'images', `bad-${i}`), { recursive: true })
      OF_A_STATE[name]!(join(data, 'images', `bad-${i}`, 'image.json'), JSON.stringify(image), canary, random)
    }
    own(join(data, 'images'))
    const run = (name: string) => ['run', '--rm', '--network', 'none', name, 'true']
    const answers = await runMany(
      [...damages.map((_, i) => run(`bad-${i}`)), run('defalt'), run('default')],
      options,
    )
    const unclear = answers.slice(0, -1).filter(answer => !isRefusal(answer))
    expect(unclear.map(answer => ({ ...seedOf(random), ...answer }))).toEqual([])
    expect(answers.at(-1)).toMatchObject({ status: 0, stderr: '' })
    expectUntouched()
  })
})
