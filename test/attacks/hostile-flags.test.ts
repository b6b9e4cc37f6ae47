import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { snapshot } from '../support/canary.ts'
import { isolated } from '../support/isolated.ts'
import { type Answer, isRefusal, runMany } from '../support/many-runs.ts'
import { isRoot, userFolder, type UserName, users, self } from '../support/minilab.ts'
import { JUNK, Seeded } from '../support/seeded.ts'
import { stateOf } from '../support/state.ts'

const ID = 'fedcba987654' // no word begins it

/** A data folder with one container in it that has ended, and a canary beside it. Root works where no other test is. */
async function surroundings(user: UserName) {
  const folder = userFolder(user)
  const [data, canary] = [join(folder, 'data'), join(folder, 'canary')]
  for (const path of [
    canary,
    join(data, 'containers', ID, 'upper'),
    join(data, 'ledger'),
    join(data, 'canary'),
  ])
    mkdirSync(path, { recursive: true })
  writeFileSync(join(canary, 'file'), 'alive')
  writeFileSync(join(data, 'containers', ID, 'state.json'), JSON.stringify(stateOf(ID)))
  if (isRoot && user === 'ordinary') execFileSync('chown', ['-R', '65534:65534', folder])
  const place = user === 'root' ? await isolated() : undefined
  const guarded = () => [canary, join(data, 'canary'), join(data, 'containers', ID)].map(snapshot)
  const before = guarded()
  return {
    options: { user, data, wrapper: place?.wrapper ?? [] },
    expectNothingLeft() {
      expect(guarded()).toEqual(before)
      expect(readdirSync(join(data, 'containers'))).toEqual([ID])
      expect(readdirSync(join(data, 'ledger'))).toEqual([])
      expect(place?.cgroups() ?? []).toEqual([])
      expect(place?.links() ?? ['lo']).toEqual(['lo'])
    },
  }
}

/** Those that did neither work nor say in one line what is wrong and what to do; with the seed that made them. */
const unclear = (answers: Answer[], { seed }: Seeded, worked = ({ status }: Answer) => status === 0) =>
  answers
    .filter(answer => !isRefusal(answer) && !worked(answer))
    .map(answer => ({ seed, ...answer, args: answer.args.map(arg => arg.slice(0, 200)) }))

const FLAGS: ((random: Seeded, junk: () => string) => string[])[] = [
  (_, junk) => ['-m', junk()],
  (random, junk) => ['-m', junk() + random.pick(['b', 'k', 'm', 'g', 't', 'mib', 'M', 'x'])],
  (_, junk) => ['--cpus', junk()],
  (_, junk) => ['--pids-limit', junk()],
  (_, junk) => ['-e', junk()],
  (_, junk) => ['-e', `NAME=${junk()}`],
  (_, junk) => ['-v', junk()],
  (_, junk) => ['-v', `/etc:${junk()}`],
  (random, junk) => ['-v', `/etc/passwd:/${junk()}${random.pick(['', ':ro', ':rw', ':xx'])}`],
  (_, junk) => ['-v', `${junk()}:/data`],
  (_, junk) => ['-p', junk()],
  (_, junk) => ['--network', 'bridge', '-p', `${junk()}:${junk()}`],
  (_, junk) => ['--network', 'bridge', '-p', `${junk()}:80:80`],
  (_, junk) => ['-w', junk()],
  (_, junk) => ['-w', `/${junk()}`],
  (_, junk) => ['-u', junk()],
  (_, junk) => ['-u', `${junk()}:${junk()}`],
  (_, junk) => ['--name', junk()],
  (_, junk) => ['--hostname', junk()],
  (_, junk) => ['--network', junk()],
  (_, junk) => ['--cap-add', junk()],
  (_, junk) => ['--cap-drop', junk()],
  (_, junk) => [junk()],
]

describe.each(users)('as %s', user => {
  test('run: any flag with any value works, or is refused in one line', async () => {
    const { options, expectNothingLeft } = await surroundings(user)
    const random = new Seeded(20261122)
    const junk = () => random.pick(JUNK)
    // every flag with every word would be two thousand: each word once, and every flag several times
    const commands = [...JUNK, ...JUNK].map((word, i) => {
      const flags = FLAGS[i % FLAGS.length]!(random, () => (random.chance(70) ? word : junk()))
      const more = random.chance(20) ? random.pick(FLAGS)(random, junk) : []
      return ['run', '--rm', '--network', 'none', ...flags, ...more, 'default', 'true']
    })
    const answers = await runMany(commands, options)
    expect(unclear(answers, random)).toEqual([])
    // a test of the test: both happen, and often
    const refused = answers.filter(isRefusal).length
    expect(refused).toBeGreaterThan(answers.length / 4)
    expect(answers.length - refused).toBeGreaterThan(answers.length / 20)
    expectNothingLeft()
  })

  test('an image, a command, a step, an id: any word is known, or refused in one line', async () => {
    const { options, expectNothingLeft } = await surroundings(user)
    const random = new Seeded(3)
    const words = JUNK.filter(word => word !== '1') // a step of its own
    // a path is a directory with a root file system, and may well be one
    const images = words.filter(word => !/^[./~]/.test(word))
    const commands = [
      ...images.map(word => ['run', '--rm', '--network', 'none', '--', word, 'true']),
      ...words.flatMap(word => [
        ...(word === '--' ? [] : [['step', word]]), // alone it lists them
        ['step', '3', '--runtime', word],
        ['exec', '--', word, 'true'],
        [random.pick(['kill', 'logs']), '--', word],
        ['rm', ...(random.chance(50) ? ['-f'] : []), '--', word],
        ['kill', '-s', word, ID],
        [random.pick(['doctor', 'clean', 'ps']), '--', word],
        [word],
      ]),
    ].filter(args => !['', '-', '--'].includes(args[0]!)) // minilab alone prints its help
    const answers = await runMany(commands, options)
    expect(unclear(answers, random, () => false)).toEqual([])
    expectNothingLeft()
  })
})

test('a command of any word ends as a shell would tell', async () => {
  const { options, expectNothingLeft } = await surroundings(self)
  const words = JUNK.filter((word, i) => i % 2 === 0 && !word.includes('\0'))
  const commands = words.map(word => ['run', '--rm', '--network', 'none', 'default', word, word])
  const answers = await runMany(commands, options)
  expect(unclear(answers, new Seeded(0), ({ status }) => status !== 3)).toEqual([])
  expect(answers.filter(({ status }) => status === 127).length).toBeGreaterThan(words.length / 2)
  expectNothingLeft()
})

test.each(['/proc/minilab', '/dev/null/minilab', '/etc/passwd/minilab'])(
  'a data folder that cannot be made, %s: no command hangs, and each says so in one line',
  async data => {
    const rootfs = userFolder()
    const run = ['--network', 'none', rootfs, '/bin/sh']
    const made = [
      ['run', '--rm', ...run],
      ['run', '-d', ...run],
      ['run', 'default', 'true'],
      ['step', '4', '--yes'],
    ]
    const answers = await runMany([...made, ['ps'], ['clean'], ['rm', 'x'], ['logs', 'x']], { data })
    expect(unclear(answers.slice(0, made.length), new Seeded(0), () => false)).toEqual([])
    const [ps, clean, rm, logs] = answers.slice(made.length)
    expect([ps, rm, logs].map(answer => answer!.status)).toEqual([0, 2, 2])
    // it looks at the whole machine, on which other tests are just killing and removing: what is kept must be theirs
    expect([0, 3]).toContain(clean!.status)
    expect(clean!.stdout + clean!.stderr).not.toContain(data)
    expect(readdirSync(rootfs)).toEqual([])
  },
)
