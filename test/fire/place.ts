import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import type { Ask, Ran } from './agent.ts'
import { isolated } from '../support/isolated.ts'
import { runMinilab, type UserName } from '../support/minilab.ts'

const HOME = '/mnt'
const ENTRY = join(import.meta.dirname, '../../bin.mjs')

/** A machine of its own, as far as minilab can tell, with a process in it that runs it and looks. */
export interface Place {
  wrapper: string[]
  data: string
  ask(ask: Ask): Promise<Ran>
}

export interface PlaceOptions {
  /** a container runs there already, which must survive everything */
  resident?: boolean
  /** whose minilab it is */
  user?: UserName
}

export async function makePlace({ resident = false, user = 'root' }: PlaceOptions = {}): Promise<Place> {
  const id = user === 'root' ? 0 : 65534
  const root = (await isolated({ pids: true })).wrapper
  // in memory, in the place's own mount namespace: it goes with that, also when the tests are killed
  const [mount = '', ...options] = [
    ...root,
    'mount',
    '-t',
    'tmpfs',
    '-o',
    `mode=755,uid=${id},gid=${id}`,
    'data',
    HOME,
  ]
  execFileSync(mount, options)
  const as = user === 'root' ? [] : ['setpriv', `--reuid=${id}`, `--regid=${id}`, '--clear-groups']
  const wrapper = [...root, ...as]
  const data = `${HOME}/data`
  const command = resident
    ? ['-d', '--name', 'resident', 'default', 'sleep', '1000000']
    : ['--rm', 'default', 'true']
  const first = await runMinilab(['run', ...command], { user: 'root', data, wrapper }) // makes the image, too
  if (first.status !== 0) throw new Error(first.stderr)
  const [program = '', ...rest] = [...wrapper, process.execPath, join(import.meta.dirname, './agent.ts')]
  const agent = spawn(program, rest, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      ...process.env,
      HOME,
      MINILAB_DATA: data,
      NODE_COMPILE_CACHE: join(ENTRY, '../node_modules/.cache/v8'),
    },
  })
  const ended = once(agent, 'exit')
  onTestFinished(async () => {
    if (resident) await runMinilab(['rm', '-f', 'resident'], { user: 'root', data, wrapper })
    agent.stdin.end()
    await ended
  })
  const lines = createInterface({ input: agent.stdout })[Symbol.asyncIterator]()
  const ask = async (what: Ask | 'begin') => {
    agent.stdin.write(JSON.stringify(what) + '\n')
    const { value, done } = await lines.next()
    if (done) throw new Error(`the agent ended during ${JSON.stringify(what)}`)
    return JSON.parse(value as string) as Ran
  }
  await ask('begin')
  return { wrapper, data, ask }
}
