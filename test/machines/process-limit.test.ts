// ulimit -u: Node aborts, or waits for ever, where it cannot start its threads. So we ask before.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isRoot, userData } from '../support/minilab.ts'

const ENTRY = join(import.meta.dirname, '../../bin.mjs')
const UID = 61_234 // nobody else's: all that a user runs counts

function minilab(limit: number, ...args: string[]) {
  const data = userData()
  spawnSync('chown', ['-R', `${UID}:${UID}`, data])
  const asUser = ['setpriv', `--reuid=${UID}`, `--regid=${UID}`, '--clear-groups']
  const { status, stdout, stderr } = spawnSync(
    'prlimit',
    [`--nproc=${limit}`, ...asUser, process.execPath, '--', ENTRY, ...args],
    {
      encoding: 'utf8',
      cwd: '/',
      timeout: 60_000, // against hanging
      env: { ...process.env, MINILAB_DATA: data, HOME: data, NODE_COMPILE_CACHE: join(data, 'v8') },
    },
  )
  return { status, stdout, stderr }
}

const ofRoot = isRoot ? test : undefined
// the first lacks the threads of its own pool, the others those of ourselves in the sandbox, in the background, or both
ofRoot?.each([
  [8, 'run --rm --network none default true'],
  [8, 'run --rm default true'],
  [19, 'run --rm default true'],
  [26, 'run --rm default true'],
  [19, 'run -d --rm default true'],
  [33, 'run -d --rm default true'],
])('%d processes and threads are too few for %s: one line', (limit, words) => {
  expect(minilab(limit, ...words.split(' '))).toEqual({
    status: 125,
    stdout: '',
    stderr: expect.stringMatching(
      /^minilab: clone3\(\d+ times\) = -1 EAGAIN [^\n]+: the limit on processes is reached: see ulimit -u and pids.max of this cgroup\n$/,
    ) as string,
  })
})

ofRoot?.('64 are enough', () => {
  expect(minilab(64, 'run', '--rm', 'default', 'echo', 'hi')).toEqual({
    status: 0,
    stdout: 'hi\n',
    stderr: '',
  })
})
