import { expect, test } from 'vitest'
import { isRoot } from '../support/minilab.ts'
import { Seeded } from '../support/seeded.ts'
import { type Case, complaints, FAULTS, makeRanges, operations, type Range, table, tryAll } from './matrix.ts'

// In CI a sample: a kill after a fourth of our operations that differ from each other, and after one of 48 calls of the tapes;
// every second of these is also refused. Which, the seed says, another one each time; it is printed, so that the same sample
// can be had again. All of it in `npm run test:nightly`: every operation of every command, with every fault, which takes an
// hour and a half.
//   MINILAB_FIRE=all           the whole matrix
//   MINILAB_FIRE_ONLY=REGEXP   only cases that match, such as 'step 4 .* rmdir .* kill'
//   MINILAB_SEED=NUMBER        this sample
const { MINILAB_FIRE = 'some', MINILAB_FIRE_ONLY = '' } = process.env
const all = MINILAB_FIRE === 'all'
const HOURS = 3600_000
const PLACES = 4

const isTape = (number: string) => number.includes('/t')
const describe = ({ args, operation, fault }: Case) => `${args.join(' ')} · ${operation} · ${fault}`

/** So many of a list, each once. */
function sample<T>(list: readonly T[], count: number, random: Seeded): T[] {
  const left = [...list]
  return Array.from({ length: Math.ceil(count) }, () => left.splice(random.below(left.length), 1)).flat()
}

async function run(ranges: Range[], cases: Case[]): Promise<void> {
  const only = new RegExp(MINILAB_FIRE_ONLY)
  const rows = await tryAll(
    ranges,
    // a tape refuses by a number that is no call's (ENOSYS): a child that may go on at EPERM does not go on at that
    cases.filter(
      one =>
        only.test(describe(one)) &&
        !(one.fault === 'EPERM' && /^(mount|fchownat|setgroups) /.test(one.operation)),
    ),
  )
  console.log(table(rows))
  expect(complaints(rows)).toBe('')
}

test.skipIf(!isRoot)(
  'whatever befalls an operation, nothing is left after the next command, and what was refused is said',
  async () => {
    const commands = [
      ['run', '-d', '-p', '8080:80', 'default', 'sleep', '1000'],
      ['step', '4', '--yes', '--json'],
      ['step', '6', '--yes', '--json'],
    ]
    const ranges = await makeRanges(PLACES, commands)
    const random = new Seeded(Date.now() % 2 ** 31)
    if (!all) console.log(`the sample of MINILAB_SEED=${random.seed}`)
    const known = new Set<string>()
    const cases = commands.flatMap(args => {
      if (all)
        return operations(ranges, args, 'all').flatMap(operation =>
          FAULTS.map(fault => ({ args, operation, fault })),
        )
      const isNew = (operation: string) => !known.has(operation) && known.add(operation)
      const ours = operations(ranges, args, '#1', number => !isTape(number)).filter(isNew)
      const theirs = operations(ranges, args, 'all', isTape).filter(isNew)
      const some = [...sample(ours, ours.length / 4, random), ...sample(theirs, theirs.length / 48, random)]
      return some.flatMap((operation, i): Case[] => {
        const kill = { args, operation, fault: FAULTS[0] }
        return i % 2 ? [kill] : [kill, { args, operation, fault: random.pick(FAULTS.slice(1)) }]
      })
    })
    await run(ranges, cases)
  },
  24 * HOURS,
)

// what joins a container, and what removes one: monitor, pumps and the container's processes live while it is done
test.skipIf(!isRoot)(
  'whatever befalls exec and rm, the container that was joined goes on, and the one that was removed is gone after the next rm',
  async () => {
    const commands = [
      ['exec', 'resident', 'true'],
      ['rm', '-f', 'victim'],
    ]
    const ranges = await makeRanges(all ? PLACES : 2, commands, 'root', 'all')
    const random = new Seeded(Date.now() % 2 ** 31)
    if (!all) console.log(`the sample of MINILAB_SEED=${random.seed}`)
    const cases = commands.flatMap(args => {
      const found = operations(ranges, args, all ? 'all' : '#1')
      const some = all ? found : sample(found, found.length / 8, random)
      return some.flatMap(operation =>
        (all ? FAULTS : [FAULTS[0], random.pick(FAULTS.slice(1))]).map((fault): Case => ({
          args,
          operation,
          fault,
        })),
      )
    })
    await run(ranges, cases)
  },
  24 * HOURS,
)

// where there is no cgroup by which to find them, the processes of a container have to end by themselves
test.skipIf(!isRoot)(
  "an ordinary user's container ends with the command that is killed, wherever its first process is just then",
  async () => {
    const args = ['run', '-d', '--network', 'none', 'default', 'sleep', '1000']
    const ranges = await makeRanges(all ? PLACES : 2, [args], 'ordinary')
    const tape = operations(ranges, args, all ? 'all' : '#1', isTape)
    const cases = tape
      .filter((_, i) => all || i % 24 === 0)
      .map((operation): Case => ({ args, operation, fault: 'kill' }))
    await run(ranges, cases)
  },
  24 * HOURS,
)
