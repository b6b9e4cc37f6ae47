import { expect, test } from 'vitest'
import { isRoot } from '../support/minilab.ts'
import { Seeded } from '../support/seeded.ts'
import type { Ask } from './agent.ts'
import { makePlace } from './place.ts'

const COMMANDS: Pick<Ask, 'args' | 'victim'>[] = [
  { args: ['step', '4', '--yes', '--json'] },
  { args: ['step', '6', '--yes', '--json'] },
  { args: ['run', '--rm', 'default', 'true'] },
  { args: ['run', '-d', 'default', 'sleep', '1000'] },
  { args: ['run', '-d', 'default', 'true'], victim: 'others' },
  { args: ['run', '-d', '-p', '8080:80', 'default', 'sleep', '1000'] },
  { args: ['run', '-d', '-p', '8080:80', '--init', 'default', 'sleep', '1000'], victim: 'others' }, // monitor, pumps and forwarder
]
const { MINILAB_FIRE = 'some' } = process.env
const MOMENTS = MINILAB_FIRE === 'all' ? 200 : 20

test.skipIf(!isRoot)(
  `killed at ${MOMENTS} random moments, a command leaves nothing that the next one does not take back`,
  async () => {
    const random = new Seeded(Date.now() % 2 ** 31)
    console.log(`the moments of MINILAB_SEED=${random.seed}`)
    const moments = Array.from({ length: MOMENTS }, (_, i) => ({
      ...COMMANDS[i % COMMANDS.length]!,
      at: random.fraction(),
    }))
    const wrong: string[] = []
    let killed = 0
    await Promise.all(
      [false, true, false, true].map(async resident => {
        const place = await makePlace({ resident })
        const durations = new Map<string, number>()
        for (const { args } of COMMANDS) {
          const { ms, status, left, said } = await place.ask({ args, next: 'clean here' })
          expect({ status, left, said }).toEqual({ status: 0, left: [], said: '' })
          durations.set(args.join(' '), ms)
        }
        for (let moment; (moment = moments.shift());) {
          const { at, ...command } = moment
          const killAfter = at * durations.get(command.args.join(' '))!
          const ran = await place.ask({ ...command, killAfter, next: 'clean here' })
          if (ran.signal === 'SIGKILL') killed++
          const said = [ran.said, ...ran.left].filter(Boolean)
          if (said.length > 0 || ran.hangs)
            wrong.push([`${command.args.join(' ')} after ${killAfter} ms`, ...said].join('\n    '))
        }
      }),
    )
    expect(wrong.join('\n')).toBe('')
    expect(killed).toBeGreaterThan(MOMENTS / 4)
  },
  1200_000,
)
