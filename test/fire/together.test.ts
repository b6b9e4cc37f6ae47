import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isRoot, runMinilab } from '../support/minilab.ts'
import { makePlace, type Place } from './place.ts'

/** Several commands at once, and `clean` again and again meanwhile. */
async function together({ wrapper }: Place, data: string[], count: number): Promise<void> {
  let running = true
  const runs = Array.from({ length: count }, async (_, i) =>
    runMinilab(['run', '--rm', 'default', 'echo', String(i)], { data: data[i % data.length]!, wrapper }),
  )
  const cleaning = (async () => {
    for (let i = 0; running; i++) {
      const { status, stdout, stderr } = await runMinilab(['clean', '--json'], {
        data: data[i % data.length]!,
        wrapper,
      })
      expect([status, stderr]).toEqual([0, ''])
      // whatever it sees is somebody's
      expect(JSON.parse(stdout)).toMatchObject({ removed: [] })
    }
  })()
  const ran = await Promise.all(runs)
  running = false
  await cleaning
  ran.forEach(({ status, stdout, stderr }, i) => expect([stderr, stdout, status]).toEqual(['', `${i}\n`, 0]))
}

test.skipIf(!isRoot)(
  '20 containers at once, and clean meanwhile: all succeed, nothing is left, and who is there stays',
  async () => {
    const place = await makePlace({ resident: true })
    await together(place, [place.data], 20)
    const { left, stdout } = await place.ask({ args: ['ps', '--json'] })
    expect(left).toEqual([])
    expect(JSON.parse(stdout)).toMatchObject([{ name: 'resident', status: 'running' }])
  },
  240_000,
)

test.skipIf(!isRoot)(
  'first containers of two data folders at once: each makes its image, none touches the others',
  async () => {
    const place = await makePlace()
    const data = ['one', 'two'].map(name => join(place.data, '..', name))
    await together(place, data, 8)
    const { left } = await place.ask({ args: ['ps'] })
    expect(left).toEqual([])
  },
  240_000,
)
