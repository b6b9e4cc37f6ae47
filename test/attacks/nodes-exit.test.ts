// What an attack found that looked at how minilab ends, and at what keeps it from ending. The kernel and stty are the judges.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, createReadStream, openSync, readSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openSlave } from '../../lib/container/streams/our-terminal.ts'
import { Child } from '../../lib/kernel/process/child.ts'
import { pipe } from '../../lib/kernel/process/pipe.ts'
import { readlinkSync } from 'node:fs'
import { F_GETFL, F_SETFL, O_NONBLOCK, O_RDWR, O_WRONLY } from '../../lib/kernel/syscalls/constants.ts'
import { now } from '../../lib/kernel/syscalls/now.ts'
import { runMinilab, self, sharedData, userFolder } from '../support/minilab.ts'

const BIN = join(import.meta.dirname, '../../bin.mjs')
const LAUNCHER = join(import.meta.dirname, '../../minilab')
const data = sharedData()[self]
const env = { ...process.env, MINILAB_DATA: data }
const ALONE = ['run', '--rm', '--network', 'none']

/** A running container that prints a line, and ends when its stdin does. */
const WAITS = [BIN, ...ALONE, '-i', 'default', 'sh', '-c', 'echo ready; cat >/dev/null']

function closedAfterwards(fd: number): number {
  onTestFinished(() => closeSync(fd))
  return fd
}

test('a program that changes the terminal meanwhile keeps it so when minilab ends', async () => {
  const master = closedAfterwards(openSync('/dev/ptmx', 'r+'))
  const slave = closedAfterwards(openSlave(master))
  const settings = (...words: string[]) =>
    execFileSync('stty', ['-F', readlinkSync(`/proc/self/fd/${slave}`), ...words], { encoding: 'utf8' })
  const child = spawn(process.execPath, WAITS, { env, stdio: ['pipe', slave, slave] })
  const ended = once(child, 'exit')
  readSync(master, Buffer.alloc(100)) // `ready`, or a message
  const before = settings('-g')
  settings('raw', '-echo')
  const changed = settings('-g')
  expect(changed).not.toBe(before)
  child.stdin?.end()
  expect(await ended).toEqual([0, null])
  expect(settings('-g')).toBe(changed)
})

test.each([
  { to: O_NONBLOCK, from: 0 },
  { to: 0, from: O_NONBLOCK },
])(
  'a pipe that gets the mode $to meanwhile, from $from, keeps it when minilab ends',
  async ({ to, from }) => {
    const { read, write } = pipe()
    now.fcntl(write, F_SETFL, O_WRONLY | from)
    const child = spawn(process.execPath, WAITS, { env, stdio: ['pipe', write, 'inherit'] })
    const ended = once(child, 'exit')
    await once(createReadStream('', { fd: read }), 'data') // closes it, too
    now.fcntl(write, F_SETFL, O_WRONLY | to)
    child.stdin?.end()
    expect(await ended).toEqual([0, null])
    expect(now.fcntl(write, F_GETFL, 0) & O_NONBLOCK).toBe(to)
    closeSync(write)
  },
)

test('a signal ends a start whose execve waits for another process', async () => {
  const root = userFolder()
  const busybox = join(root, 'busybox')
  execFileSync('cp', ['/bin/busybox', busybox])
  for (const folder of ['proc', 'sys', 'dev', 'etc']) execFileSync('mkdir', [join(root, folder)])
  const asked = once(process, 'SIGIO') // fcntl(2), Leases: the kernel tells us that a process wants to open it
  const lease = closedAfterwards(openSync(busybox, 'r+'))
  now.fcntl(lease, F_SETLEASE, F_WRLCK)
  const child = spawn(process.execPath, [BIN, ...ALONE, root, '/busybox', 'true'], { env, stdio: 'ignore' })
  const ended = once(child, 'exit')
  await asked
  child.kill('SIGTERM')
  expect(await ended).toEqual([143, null])
})
const F_SETLEASE = 1024
const F_WRLCK = 1

test('the end of a child that cannot be learned is an error only for the code that awaits it', async () => {
  const child = new Child(process.pid, openSync('/dev/null', O_RDWR)) // no pidfd
  await new Promise(setImmediate) // here Node would end at an unhandled rejection
  await expect(child.exit).rejects.toThrow(/waitid/)
})

test.each(['0', '3', 'x'])('NODE_CHANNEL_FD=%s of the caller is not for us', async word => {
  const { status, stdout, stderr } = spawnSync(LAUNCHER, [...ALONE, 'default', 'echo', 'here'], {
    env: { ...env, NODE_CHANNEL_FD: word },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  expect([status, stdout, stderr]).toEqual([0, 'here\n', ''])
})

test('a data folder whose name is not UTF-8 is refused: another one would be used', () => {
  const folder = userFolder()
  const script = `MINILAB_DATA=$(printf '${folder}/\\377') exec "$0" -- "$@"`
  const { status, stderr } = spawnSync('sh', ['-c', script, process.execPath, BIN, 'ps'], {
    encoding: 'utf8',
  })
  expect(status).toBe(2)
  expect(stderr).toMatch(/^minilab: the variable "MINILAB_DATA=.*" is not UTF-8: choose a folder .*\n$/)
  expect(execFileSync('ls', ['-A', folder], { encoding: 'utf8' })).toBe('')
})

test('a program that is being written is named as such', async () => {
  const root = userFolder()
  execFileSync('cp', ['/bin/busybox', join(root, 'tool')])
  for (const folder of ['proc', 'sys', 'dev', 'etc']) execFileSync('mkdir', [join(root, folder)])
  closedAfterwards(openSync(join(root, 'tool'), 'r+'))
  const { status, stderr } = await runMinilab([...ALONE, root, '/tool'], { data })
  expect(status).toBe(126)
  expect(stderr).toMatch(/\(ETXTBSY\): a process has it open for writing/)
})

test('a volume that cannot be had is named with its reason', async () => {
  const [link, hidden] = await Promise.all(
    ['/proc/self/ns/net:/n', `${join(userFolder(), 'file')}/x:/n`].map(volume =>
      runMinilab([...ALONE, '-v', volume, 'default', 'true'], { data }),
    ),
  )
  expect(link?.stderr).toMatch(/is a link that only the kernel can follow/)
  expect(hidden?.stderr).toMatch(/there is no .*file\/x on the host/)
  writeFileSync(join(data, 'file'), '')
  const within = await runMinilab([...ALONE, '-v', `${join(data, 'file')}/x:/n`, 'default', 'true'], { data })
  expect(within.stderr).toMatch(/cannot be used \(ENOTDIR\): choose a path/)
  expect([link, hidden, within].map(ran => ran?.status)).toEqual([125, 125, 125])
})
