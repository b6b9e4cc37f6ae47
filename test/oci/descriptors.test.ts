// Descriptors that an engine gets over a unix socket: the master of a terminal, a pidfd. A program that is not ours receives them.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Bench } from './bench.ts'
import { lacking, OURS } from './engines.ts'

/** Says of the first message on a socket its text, and of each descriptor what it is; then does what the third argument says with them. */
const RECEIVER = `
import json, os, signal, socket, sys
path, act = sys.argv[1:]
listening = socket.socket(socket.AF_UNIX)
listening.bind(path)
listening.listen()
print('ready', flush=True)
text, fds, *_ = socket.recv_fds(listening.accept()[0], 1 << 16, 8)
print(json.dumps({'text': text.decode(), 'files': [os.readlink(f'/proc/self/fd/{fd}') for fd in fds],
  'pids': [line.split()[1] for fd in fds for line in open(f'/proc/self/fdinfo/{fd}') if line.startswith('Pid:')]}), flush=True)
exec(act)
`

interface Received {
  text: string
  files: string[]
  pids: string[]
}

const lacks = lacking('runc', 'python3')
describe.skipIf(lacks)(`descriptors for engines${lacks}`, () => {
  let bench: Bench
  beforeAll(() => void (bench = new Bench()))
  afterAll(() => bench[Symbol.dispose]())
  let count = 0

  /** What a program receives while `during` runs, which is given the path of its socket; and what it prints after that. */
  async function received(during: (socket: string) => void, act = ''): Promise<[Received, ...string[]]> {
    const path = join(bench.folder, `socket-${count++}`)
    const child = spawn('python3', ['-c', RECEIVER, path, act], { stdio: ['ignore', 'pipe', 'inherit'] })
    const over = once(child, 'close')
    const lines: string[] = []
    for await (const line of createInterface(child.stdout)) {
      if (line === 'ready') during(path)
      else lines.push(line)
    }
    expect(await over).toEqual([0, null])
    const [first = '', ...rest] = lines
    return [JSON.parse(first) as Received, ...rest]
  }

  /** Starts a process that stays; its descriptors are no pipes that it would keep open. */
  const start = (...args: string[]) =>
    expect(spawnSync(OURS, ['--root', bench.root(OURS), ...args], { stdio: 'ignore' }).status).toBe(0)
  const pidOf = (id: string) => String((JSON.parse(bench.oci('state', id).stdout) as { pid: number }).pid)

  test('--console-socket gets the master of the terminal', async () => {
    const path = bench.bundle(['sh', '-c', 'tty; exec sleep 100'], ({ process }) => (process.terminal = true))
    for (const runtime of ['runc', OURS]) {
      const [{ text, files }, said] = await received(
        socket =>
          expect(
            bench.call(runtime, ['run', '-d', '--bundle', path, '--console-socket', socket, 'tty']).status,
          ).toBe(0),
        'print(os.read(fds[0], 100).decode().strip())',
      )
      expect(text).toMatch(/^\/dev\/(pts\/)?ptmx$/)
      expect(files).toEqual([expect.stringMatching(/ptmx$/)])
      expect(said).toMatch(/^\/dev\/(pts\/0|console)$/)
      bench.call(runtime, ['delete', '--force', 'tty'])
    }
  })

  test('--pidfd-socket gets a pidfd of the process, before it runs', async () => {
    const path = bench.bundle(['sleep', '1000'])
    const [{ text, files, pids }] = await received(
      socket => start('run', '-d', '--bundle', path, '--pidfd-socket', socket, 'p'),
      'signal.pidfd_send_signal(fds[0], 0)',
    )
    expect(text).toBe('standard')
    expect(files).toEqual([expect.stringMatching(/^anon_inode:\[pidfd\]$|^pidfd:/)])
    expect(pids).toEqual([pidOf('p')])
    const other = join(bench.folder, 'pid')
    const [joined] = await received(socket =>
      start('exec', '-d', '--pid-file', other, '--pidfd-socket', socket, 'p', 'sleep', '1000'),
    )
    expect([joined.text, joined.pids]).toEqual(['setns', [readFileSync(other, 'utf8')]])
    expect(bench.oci('exec', '--pidfd-socket', join(bench.folder, 'none'), 'p', 'true').stderr).toMatch(
      /connect.*no such file or directory/,
    )
    bench.oci('delete', '--force', 'p')
    const none = join(bench.folder, 'none')
    const { status, stderr } = bench.oci('run', '--bundle', path, '--pidfd-socket', none, 'q')
    expect([status, stderr]).toEqual([1, expect.stringMatching(/connect.*no such file or directory/)])
    expect(bench.oci('state', 'q').stderr).toMatch(/container does not exist/)
  })
})
