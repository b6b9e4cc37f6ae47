// `run --init`: process 1 is a tape that passes on signals and reaps orphans; tini, which is docker-init, as its judge.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { initTape } from '../../lib/container/init.ts'
import type { State } from '../../lib/container/state/state-shape.ts'
import { errnoNumber } from '../../lib/common/errno.ts'
import { children, descriptors, isAlive, status } from '../../lib/kernel/process/procfs.ts'
import { interpret } from '../kernel/interpret.ts'
import { isRoot, runMinilab, self, sharedData, thorough, type UserName, users } from '../support/minilab.ts'
import { noStrace } from '../support/strace.ts'
import { noTmux, Terminal } from '../support/terminal.ts'

const shared = sharedData()
const NONE = ['--network', 'none']

/** A container in the background with an init, which is removed after the test. */
async function background(script: string, user: UserName = self) {
  const data = shared[user]
  const minilab = (...words: string[]) => runMinilab(words, { user, data })
  const { stdout, stderr } = await minilab('run', '-d', '--init', ...NONE, 'default', 'sh', '-c', script)
  const id = stdout.trim()
  expect([id, stderr]).toEqual([expect.stringMatching(/^[0-9a-f]{12}$/), ''])
  onTestFinished(async () => void (await minilab('rm', '-f', id)))
  const state = () => JSON.parse(readFileSync(join(data, 'containers', id, 'state.json'), 'utf8')) as State
  const hasEnded = () => expect.poll(() => isAlive(state().keeper.pid, state().keeper.started)).toBe(false)
  return { id, minilab, state, hasEnded }
}

/** A container's process 1, and its children, as the host sees them. */
const processesOf = ({ pid }: State) => [pid, ...children(pid)]

test('its tape has at most 16 ops', () => {
  expect(initTape().ops.length).toBeLessThanOrEqual(16)
})

describe.each(users)('as %s', user => {
  const run = (script: string, flags: string[] = []) =>
    runMinilab(['run', '--rm', '--init', ...NONE, ...flags, 'default', 'sh', '-c', script], {
      user,
      data: shared[user],
    })

  test('the program is process 2, its group and its parent are as with tini, and it has no signal blocked', async () => {
    const { stdout } = await run(
      'echo $$ $PPID; cut -d" " -f5 /proc/$$/stat; grep SigBlk /proc/$$/status; ls /proc/$$/fd; tr "\\0" " " < /proc/1/cmdline',
    )
    expect(stdout).toBe('2 1\n2\nSigBlk:\t0000000000000000\n0\n1\n2\ninit ')
  })

  test('a program that cannot be started is told as without an init', async () => {
    const args = (flags: string[], words: string[]) =>
      runMinilab(['run', '--rm', ...flags, ...NONE, 'default', ...words], { user, data: shared[user] })
    for (const words of [['nosuch'], ['/etc/passwd'], ['/']]) {
      const [plain, init] = [await args([], words), await args(['--init'], words)]
      expect([init.status, init.stderr]).toEqual([plain.status, plain.stderr])
      expect([126, 127]).toContain(init.status)
    }
  })

  test('in the background: SIGTERM ends a program that is not process 1, and is recorded', async () => {
    const { id, minilab, state, hasEnded } = await background('exec sleep 1000', user)
    const [init, program] = processesOf(state())
    expect(init).toBe(state().pid)
    expect(readFileSync(`/proc/${program}/cmdline`, 'utf8')).toBe('sleep\x001000\0')
    expect((await minilab('exec', id, 'sh', '-c', 'echo $PPID')).stdout).toBe('0\n')
    await minilab('kill', '-s', 'TERM', id)
    await hasEnded()
    expect(state().exit?.status).toBe(143)
  })

  test('neither program nor memory of Node is in it', async () => {
    const { state } = await background('exec sleep 1000', user)
    for (const pid of isRoot ? processesOf(state()) : []) {
      expect(readlinkSync(`/proc/${pid}/exe`)).not.toContain('node')
      expect(readFileSync(`/proc/${pid}/maps`, 'utf8')).not.toContain('node')
    }
    expect(Number.parseInt(status(state().pid).VmRSS ?? '')).toBeLessThanOrEqual(24) // kB
    if (isRoot) expect(Object.keys(descriptors(state().pid)).join()).toBe('0,1,2,3,4')
  })
})

test.skipIf(!isRoot)(
  'as another user of the image; its own user may write to the open files of process 1',
  async () => {
    const script = 'id -u; (sleep 0 &); echo x > /proc/1/fd/1; exit 4'
    const flags = ['--rm', '--init', ...NONE, '-u', '1000']
    const { stdout, status } = await runMinilab(['run', ...flags, 'default', 'sh', '-c', script], {
      data: shared.root,
    })
    expect([stdout, status]).toEqual(['1000\nx\n', 4])
  },
)

test.skipIf(!isRoot || noStrace !== '')(
  `the program starts when process 1 is the init, however slow that is${noStrace}`,
  async () => {
    const wrapper = ['strace', '-f', '-o', '/dev/null', '-e', 'inject=pidfd_open:delay_enter=200000']
    const words = ['run', '--rm', '--init', ...NONE, '-u', '1000', 'default']
    const script = ['sh', '-c', 'echo x > /proc/1/fd/1; cat /proc/1/cmdline']
    const { stdout } = await runMinilab([...words, ...script], { data: shared.root, wrapper })
    expect(stdout).toBe('x\ninit\0')
  },
)

test.skipIf(!isRoot)(
  'when process 1 may not signal the program, which is another user, it still tells orphans from it',
  async () => {
    const script = `echo other:x:1001:1001::/:/bin/sh >> /etc/passwd; exec su other -c '
    (sh -c : &); until ! grep -qs "^State:.Z" /proc/[0-9]*/status; do :; done; exit 6'`
    const flags = ['--rm', '--init', '--cap-drop', 'KILL', ...NONE]
    const { stderr, status } = await runMinilab(['run', ...flags, 'default', 'sh', '-c', script], {
      data: shared.root,
    })
    expect([stderr, status]).toEqual(['', 6])
  },
)

describe.skipIf(noTmux)(`in a terminal${noTmux}`, () => {
  test('Ctrl-C reaches the program, once', async () => {
    const terminal = new Terminal({ MINILAB_DATA: shared[self] })
    const script = `n=0; trap 'n=$((n+1)); echo int $n' INT; echo begun; until read line; do :; done; exit 7`
    terminal.minilab(
      `run --rm --init --network none -it default sh -c "${script.replaceAll('$', '\\$')}"; echo status=$?`,
    )
    await terminal.shows(/\nbegun/)
    for (const time of [1, 2]) {
      terminal.key('C-c')
      await terminal.shows(`int ${time}`)
    }
    terminal.key('Enter')
    await terminal.shows('status=7')
    expect(terminal.screen()).not.toContain('int 3')
  })
})

// ─── tini as the judge

const TINI = '/usr/bin/tini-static'
const noTini = existsSync(TINI) ? '' : ' (no tini: apt-get install tini)'
const SIGNALS = 'HUP INT QUIT USR1 USR2 ALRM TERM PIPE WINCH URG VTALRM PROF IO PWR 40 64'

describe.skipIf(!isRoot || noTini !== '')(`beside tini${noTini}`, () => {
  test.each([
    'exit 42',
    'kill -64 $$',
    ...thorough([
      'exit 0',
      'exit 127',
      'exit 128',
      'exit 255',
      'kill -HUP $$',
      'kill -TERM $$',
      'kill -KILL $$',
      'exec nosuch',
    ]),
    // with a core dump, where the machine writes one
    'ulimit -c unlimited; kill -SEGV $$',
    // each signal to process 1 is for the program
    `for s in ${SIGNALS}; do got=; trap "got=$s" $s; kill -$s 1; until test "$got"; do :; done; echo $got; done`,
    // but not SIGCHLD
    'trap "echo child" CHLD; trap "got=1" USR1; kill -CHLD 1; kill -USR1 1; until test "$got"; do :; done; echo $got',
    // orphans are reaped, many at once
    'for i in 1 2 3 4 5 6 7 8 9; do (sh -c : &); done; until ! grep -qs "^State:.Z" /proc/[0-9]*/status; do :; done; exit 9',
    // one that goes on does not hold the container up, and its end is not the program's
    '(sleep 1000 &); (exit 5); (sh -c "exit 6" &); exit 7',
  ])('%s', async script => {
    const run = (flags: string[], words: string[]) =>
      runMinilab(['run', '--rm', ...NONE, ...flags, 'default', ...words], { data: shared[self] })
    const ours = await run(['--init'], ['sh', '-c', script])
    const theirs = await run(['-v', `${TINI}:/tini:ro`], ['/tini', '--', 'sh', '-c', script])
    expect([ours.status, ours.stdout]).toEqual([theirs.status, theirs.stdout])
  })
})

// ─── the interpreter agrees with the machine code

test.skipIf(!isRoot || noStrace !== '').for([
  ['rt_sigtimedwait:error=EINTR:when=2', 5],
  ['lseek:error=EINTR:when=1', 5],
  ['pidfd_send_signal:error=ESRCH', 5],
  ['writev:error=ENOSPC', 127],
  ['readv:error=EINTR', 127],
  ['readv:retval=1', 0], // a short count: only the signal, 0, has been read
] as const)(
  `the interpreter agrees with the machine code where process 1 has %s${noStrace}`,
  async ([fault, end]) => {
    const script = 'trap "" USR1; (sleep 0 &); until test -e /go; do sleep 0.05; done; exit 5'
    const { id, minilab, state, hasEnded } = await background(script)
    const trace = join(shared[self], `${id}.trace`)
    const args = ['-p', String(state().pid), '-o', trace, '-e', `inject=${fault}`]
    const strace = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] })
    const over = once(strace, 'exit')
    await once(strace.stderr, 'data') // attached
    await minilab('kill', '-s', 'USR1', id)
    await minilab('exec', id, 'touch', '/go')
    await Promise.all([over, hasEnded()])
    const calls = readFileSync(trace, 'utf8')
      .split('\n')
      .flatMap(line => {
        const [, call = '', result = '', code] = /^(\w+)\(.*\) += (-?\d+|\?)(?: (E[A-Z]+))?/.exec(line) ?? []
        const value = code ? -BigInt(errnoNumber(code)) : result === '?' ? undefined : BigInt(result || 0)
        return call && call !== 'restart_syscall' ? [{ call, result: value }] : []
      })
    const tape = initTape()
    const begun = tape.ops.findIndex(({ call }) => call === calls[0]?.call)
    const made = interpret(tape, (_, number) => calls[number]?.result, begun)
    // where a call fails and does not branch, the machine code ends the process
    const names = [...made.map(op => op.call), ...(end === 127 ? ['exit_group'] : [])]
    expect(names).toEqual(calls.map(({ call }) => call))
    expect(state().exit?.status).toBe(end)
    expect(calls.length).toBeGreaterThan(6)
  },
)
