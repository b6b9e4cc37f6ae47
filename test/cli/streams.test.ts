// What a program finds at its descriptors 0, 1 and 2, for each thing that ours can be; python3's view of the caller's side is the judge.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import {
  isRoot,
  runMinilab,
  self,
  sharedData,
  thorough,
  userData,
  userFolder,
  type UserName,
  users,
} from '../support/minilab.ts'

const data = sharedData()
const ENTRY = join(import.meta.dirname, '../../bin.mjs')
const ORDINARY = 65534

/** What each of our three is. */
type Kind = 'file' | 'pipe' | 'socket' | 'terminal' | 'closed' | 'null'
const KINDS: readonly Kind[] = ['file', 'pipe', 'socket', 'terminal', 'closed', 'null']

interface Seen {
  status: number
  /** what came out at our end */
  out: string
  err: string
  /** O_NONBLOCK of the caller's descriptor before and after */
  modes: [before: boolean, after: boolean][]
  /** mode and owner of the file behind stdin, after */
  file: string
}

/** Starts a command with three descriptors of a kind, sends a line, and tells what happened. */
const CALLER = String.raw`
import fcntl, json, os, pty, socket, subprocess, sys, termios, threading
kind, folder, args = sys.argv[1], sys.argv[2], sys.argv[3:]
line = b'sent\n'
def pair(write):
    if kind == 'pipe': r, w = os.pipe(); return (w, r) if write else (r, w)
    if kind == 'socket':
        a, b = socket.socketpair(); return a.detach(), b.detach()
    if kind == 'terminal':
        master, slave = pty.openpty(); mode = termios.tcgetattr(slave)
        mode[1] &= ~termios.OPOST; mode[3] &= ~termios.ECHO; termios.tcsetattr(slave, termios.TCSANOW, mode)
        return slave, master
    if kind == 'null': return os.open('/dev/null', os.O_RDWR), None
    path = os.path.join(folder, 'out%d' % write if write else 'in')
    if not write:
        with open(path, 'wb') as f: f.write(line)
        os.chmod(path, 0o600)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC if write else os.O_RDONLY), path
ends = [pair(0), pair(1), pair(2)] if kind != 'closed' else []
flags = lambda: [bool(fcntl.fcntl(theirs, fcntl.F_GETFL) & os.O_NONBLOCK) for theirs, _ in ends]
before = flags()
def child():
    for fd in (0, 1, 2):
        if ends: os.dup2(ends[fd][0], fd)
        else: os.close(fd)
if kind in ('pipe', 'socket', 'terminal'): os.write(ends[0][1], line + (b'\x04' if kind == 'terminal' else b''))
if kind == 'pipe': os.close(ends[0][1])
if kind == 'socket': socket.socket(fileno=os.dup(ends[0][1])).shutdown(socket.SHUT_WR)
said = {1: b'', 2: b''}
def listen(fd):
    while True:
        try: got = os.read(ends[fd][1], 65536)
        except OSError: break
        if not got: break
        said[fd] += got
p = subprocess.Popen(args, preexec_fn=child, close_fds=True)
listeners = [threading.Thread(target=listen, args=(fd,)) for fd in (1, 2)] if kind in ('pipe', 'socket', 'terminal') else []
for t in listeners: t.start()
status = p.wait()
after = flags()
for theirs, _ in ends: os.close(theirs)
for t in listeners: t.join()
if kind == 'file':
    for fd in (1, 2): said[fd] = open(ends[fd][1], 'rb').read()
stat = os.stat(os.path.join(folder, 'in')) if kind == 'file' else None
print(json.dumps({'status': status, 'out': said[1].decode(), 'err': said[2].decode(), 'modes': list(zip(before, after)),
                  'file': '%o %d' % (stat.st_mode & 0o7777, stat.st_uid) if stat else ''}))
`

function call(kind: Kind, user: UserName, args: string[]): Seen {
  const folder = userFolder(user)
  const said = execFileSync('python3', ['-c', CALLER, kind, folder, process.execPath, '--', ENTRY, ...args], {
    encoding: 'utf8',
    env: { ...process.env, MINILAB_DATA: data[user], HOME: data[user] },
    ...(isRoot && user === 'ordinary' ? { uid: ORDINARY, gid: ORDINARY } : {}),
  })
  return JSON.parse(said) as Seen
}

/** Tells of its three descriptors what they are, reads a line, and tries to change the mode of what is behind stdin. */
const PROGRAM = [
  'for fd in 0 1 2; do if [ -t $fd ]; then t=terminal; elif [ -p /proc/self/fd/$fd ]; then t=pipe;',
  'elif [ -c /proc/self/fd/$fd ]; then t=device; elif [ -S /proc/self/fd/$fd ]; then t=socket; else t=file; fi;',
  'nonblock=$(( ($(sed -n "s/^flags:\\t//p" /proc/self/fdinfo/$fd) & 04000) != 0 )); echo "$fd $t $nonblock" >&2; done;',
  'read line; echo "got $line"; chmod 4777 /proc/self/fd/0 2>/dev/null; (: >/proc/self/fd/0) 2>/dev/null;',
  '(: </dev/tty) 2>/dev/null && echo "has a terminal"; true',
].join(' ')

/** What the program finds, where ours is of a kind. */
const FOUND: Record<Kind, string> = {
  file: 'pipe',
  pipe: 'pipe',
  socket: 'pipe', // by a socket of the host's a program would reach the host's network
  terminal: 'pipe',
  closed: 'device',
  null: 'device',
}

const python = spawnSync('python3', ['--version']).error ? ' (python3 is not installed)' : ''

describe.skipIf(python).each(users)(`standard streams, as %s${python}`, user => {
  beforeAll(() => {
    execFileSync(
      process.execPath,
      ['--', ENTRY, 'run', '-d', '--name', 'streams', '--network', 'none', 'default', 'sleep', '1000'],
      {
        env: { ...process.env, MINILAB_DATA: data[user], HOME: data[user] },
        ...(isRoot && user === 'ordinary' ? { uid: ORDINARY, gid: ORDINARY } : {}),
      },
    )
    return () => void runMinilab(['rm', '-f', 'streams'], { user, data: data[user] })
  })

  const ways: [name: string, words: string[], interactive: boolean][] = [
    ['run -i', ['run', '--rm', '-i', '--network', 'none', 'default'], true],
    ['run', ['run', '--rm', '--network', 'none', 'default'], false],
    ['exec -i', ['exec', '-i', 'streams'], true],
    ['exec', ['exec', 'streams'], false],
  ]
  const cases = ways.flatMap(([name, words, interactive], i) =>
    (i < 1 ? KINDS : thorough(KINDS)).map(kind => ({ name, words, interactive, kind })),
  )
  test.each(cases)('$name, ours: $kind', ({ words, interactive, kind }) => {
    const seen = call(kind, user, [...words, 'sh', '-c', PROGRAM])
    expect(seen.status).toBe(0)
    const hasInput = interactive && kind !== 'null' && kind !== 'closed'
    if (kind !== 'null' && kind !== 'closed') {
      const stdin = interactive ? FOUND[kind] : 'device'
      expect(seen.err).toBe(`0 ${stdin} 0\n1 ${FOUND[kind]} 0\n2 ${FOUND[kind]} 0\n`)
      expect(seen.out).toBe(`got ${hasInput ? 'sent' : ''}\n`)
    }
    for (const [before, after] of seen.modes) expect(after).toBe(before)
    if (kind === 'file')
      expect(seen.file).toBe(`600 ${user === 'root' || !isRoot ? process.getuid?.() : ORDINARY}`)
  })
})

test('every byte arrives, also where a reader is slow; a neighbour in the pipeline is not disturbed', async () => {
  const minilab = `${process.execPath} -- ${ENTRY}`
  const script = `(${minilab} run --rm --network none default seq 1 300000; seq 1 1000) | (sleep 0.5; wc -l)`
  const out = execFileSync('sh', ['-c', script], {
    encoding: 'utf8',
    env: { ...process.env, MINILAB_DATA: data[self] },
  })
  expect(out.trim()).toBe('301000')
})

// the kernel keeps SIGPIPE and SIGHUP away from the first process of a pid namespace: it would write for ever
test.each([
  ['', 128 + 13],
  ['-t', 128 + 1],
  ['--init', 128 + 13],
])('run %s ends when its output has lost its reader', (flags, status) => {
  const words = `run --rm ${flags} --network none default sh -c 'while :; do echo x; done'`
  const script = `(${process.execPath} -- ${ENTRY} ${words}; echo $? >&2) | head -1`
  const { stdout, stderr } = spawnSync('sh', ['-c', script], {
    encoding: 'utf8',
    env: { ...process.env, MINILAB_DATA: data[self] },
    timeout: 60_000, // against hanging
  })
  expect({ stdout: stdout.trimEnd(), stderr }).toEqual({ stdout: 'x', stderr: `${status}\n` })
})

test('a program that handles the loss of its reader decides itself', () => {
  const program = `trap '' PIPE; while echo x; do :; done 2>/dev/null; exit 7`
  const words = `run --rm --network none default sh -c "${program}"`
  const script = `(${process.execPath} -- ${ENTRY} ${words}; echo $? >&2) | head -1`
  const { stdout, stderr } = spawnSync('sh', ['-c', script], {
    encoding: 'utf8',
    env: { ...process.env, MINILAB_DATA: data[self] },
    timeout: 60_000, // against hanging
  })
  expect({ stdout, stderr }).toEqual({ stdout: 'x\n', stderr: '7\n' })
})

test.each(['pipe', 'file'])('a stdin that is not for reading, a %s, is like one that has ended', kind => {
  const words = `run --rm -i --network none default sh -c 'cat; exit 7'`
  const run = `${process.execPath} -- ${ENTRY} ${words}`
  const script = kind === 'pipe' ? `(${run} 0>&1; echo $?) | cat` : `${run} 0>${userFolder()}/file; echo $?`
  const { stdout, stderr } = spawnSync('sh', ['-c', script], {
    encoding: 'utf8',
    env: { ...process.env, MINILAB_DATA: data[self] },
    timeout: 60_000, // against hanging
  })
  expect({ stdout, stderr }).toEqual({ stdout: '7\n', stderr: '' })
})

// What the caller ignores ends neither the command nor the program: SIGHUP under nohup(1), SIGINT in a script's background job. docker run
// passes SIGINT on
const LAUNCHER = join(import.meta.dirname, '../../minilab')
test.each([
  ['SIGHUP', ['nohup'], 'run', 0, 'ready\ngo\n'],
  ['SIGHUP', ['nohup'], 'exec', 0, 'ready\ngo\n'],
  ['SIGHUP', ['env'], 'exec', 129, 'ready\n'],
  ...(['SIGINT', 'SIGQUIT', 'SIGTERM'] as const).map(
    signal => [signal, ['env', `--ignore-signal=${signal.slice(3)}`], 'exec', 0, 'ready\ngo\n'] as const,
  ),
  ['SIGINT', ['env'], 'exec', 130, 'ready\n'],
] as const)('a %s to %s minilab %s', async (signal, [under, ...options], command, status, said) => {
  const env = { ...process.env, MINILAB_DATA: data[self] }
  const minilab = (...args: string[]) => execFileSync(LAUNCHER, args, { env, encoding: 'utf8' }).trim()
  const detached = 'run -d --network none default sleep 1000'.split(' ')
  const id = command === 'exec' ? minilab(...detached) : ''
  if (id) onTestFinished(() => void minilab('rm', '-f', id))
  const where = id ? [id] : ['--rm', '--network', 'none', 'default']
  const program = ['sh', '-c', 'echo ready; read word; echo $word']
  const child = spawn(under, [...options, LAUNCHER, command, '-i', ...where, ...program], {
    env,
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const over = once(child, 'exit')
  let out = ''
  for await (const bytes of child.stdout) {
    out += String(bytes)
    if (out !== 'ready\n') continue
    child.kill(signal)
    if (status === 0) child.stdin.end('go\n')
  }
  expect({ out, ended: await over }).toEqual({ out: said, ended: [status, null] })
})

// bytes: more than the named pipe holds, and no more than that and our pipe hold, also where writes leave a part of a page unused
const MUCH = 81_920
test('where nobody reads, a signal ends us once the container has ended; what it wrote to a named pipe waits no longer', async () => {
  const folder = userFolder()
  const fifo = join(folder, 'fifo')
  execFileSync('mkfifo', [fifo])
  const reader = openSync(fifo, constants.O_RDWR)
  onTestFinished(() => closeSync(reader))
  const words = ['run', '--rm', '--network', 'none', 'default', 'head', '-c', String(MUCH), '/dev/zero']
  const script = `exec ${process.execPath} -- ${ENTRY} ${words.join(' ')} >${fifo}`
  const containers = join(data[self], 'containers')
  const before = readdirSync(containers) // another test's may be on its way out
  const child = spawn('sh', ['-c', script], { env: { ...process.env, MINILAB_DATA: data[self] } })
  const ended = once(child, 'exit')
  const made = () => readdirSync(containers).filter(id => !before.includes(id))
  const hasEnded = () => {
    const state = made().map(id => join(containers, id, 'state.json'))
    return state.some(
      path => existsSync(path) && 'exit' in (JSON.parse(readFileSync(path, 'utf8')) as object),
    )
  }
  await expect.poll(hasEnded, { timeout: 30_000 }).toBe(true)
  child.kill('SIGTERM')
  expect(await ended).toEqual([128 + 15, null])
  expect(made()).toEqual([])
})

test('where nobody reads, a third SIGINT ends a program that takes it for nothing, and us', async () => {
  const fifo = join(userFolder(), 'fifo')
  execFileSync('mkfifo', [fifo])
  const full = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK)
  onTestFinished(() => closeSync(full))
  expect(() => {
    for (;;) writeSync(full, 'x')
  }).toThrow('EAGAIN')
  const inside =
    'trap "n=\\$((n+1)); echo \\$n >&2" INT; echo stuck; echo ready >&2; while :; do sleep 0.1; done'
  const script = `exec ${process.execPath} -- ${ENTRY} run --rm --network none default sh -c '${inside}' >${fifo}`
  const child = spawn('sh', ['-c', script], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, MINILAB_DATA: data[self] },
  })
  const ended = once(child, 'exit')
  const said: string[] = []
  for await (const line of createInterface({ input: child.stderr })) {
    said.push(line)
    child.kill('SIGINT')
  }
  expect(said).toEqual(['ready', '1', '2'])
  expect(await ended).toEqual([128 + 2, null])
})

test('a container in the background whose id cannot be told is taken away again', async () => {
  const full = openSync('/dev/full', 'w')
  onTestFinished(() => closeSync(full))
  const words = ['run', '-d', '--network', 'none', 'default', 'sleep', '1000']
  const own = userData()
  const { status, stderr } = spawnSync(process.execPath, ['--', ENTRY, ...words], {
    stdio: ['ignore', full, 'pipe'],
    encoding: 'utf8',
    env: { ...process.env, MINILAB_DATA: own },
  })
  expect(status).toBe(125)
  expect(stderr).toMatch(/^minilab: cannot write to stdout: ENOSPC: .+\n$/)
  expect((await runMinilab(['ps', '-a', '--json'], { data: own })).stdout).toBe('[]\n')
  expect(readdirSync(join(own, 'logs'))).toEqual([])
})

test.each(users)(
  "as %s a log is the owner's alone, is told with its times, and its last lines",
  async user => {
    const minilab = (...args: string[]) => runMinilab(args, { user, data: data[user] })
    onTestFinished(async () => void (await minilab('rm', '-f', 'logged')))
    const script =
      'echo one; sleep 0.1; echo two >&2; sleep 0.1; printf three; sleep 0.1; echo and; chmod 4777 /proc/self/fd/1'
    await minilab('run', '-d', '--name', 'logged', '--network', 'none', 'default', 'sh', '-c', script)
    const logs = async (...flags: string[]) => (await minilab('logs', ...flags, 'logged')).stdout
    expect(await minilab('logs', '-f', 'logged')).toMatchObject({
      stdout: 'one\ntwo\nthreeand\n',
      stderr: '',
    })
    expect(await logs('--stream', 'stderr')).toBe('two\n')
    expect(await logs('--stream', 'stdout')).toBe('one\nthreeand\n')
    expect(await logs('--stream', 'stderr', '--tail', '1')).toBe('two\n')
    expect(await logs('--tail', '1')).toBe('threeand\n')
    expect(await logs('--tail', '0')).toBe('')
    expect(await logs('-t', '-n', '2')).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z two\n\d{4}-\d\d-\d\dT[\d:.]+Z threeand\n$/,
    )
    expect(await logs('--since', '2100-01-01T00:00:00Z')).toBe('')
    expect(await logs('--since', '10m')).toBe('one\ntwo\nthreeand\n')
    expect(await minilab('logs', '--stream', 'both', 'logged')).toMatchObject({
      status: 2,
      stderr: 'minilab: --stream "both" is not a stream: write stdout or stderr\n',
    })
    const listed = JSON.parse((await minilab('ps', '-a', '--json')).stdout) as { id: string; name: string }[]
    const { id = '' } = listed.find(({ name }) => name === 'logged') ?? {}
    const { log } = JSON.parse(readFileSync(join(data[user], 'containers', id, 'state.json'), 'utf8')) as {
      log: string
    }
    expect(statSync(log).mode & 0o7777).toBe(0o600)
    expect(statSync(join(log, '..')).mode & 0o7777).toBe(0o700)
  },
)

test("options among a program's arguments are its own; -e NAME passes on what the caller has, and our Node does not obey it", async () => {
  const launcher = join(import.meta.dirname, '../../minilab')
  const names = [
    'NODE_OPTIONS',
    'NODE_DEBUG',
    'NO_COLOR',
    'FORCE_COLOR',
    'UV_THREADPOOL_SIZE',
    'NODE_COMPILE_CACHE',
  ]
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !names.includes(name)))
  const run = (env: NodeJS.ProcessEnv) =>
    spawnSync(
      launcher,
      [
        ...'run --rm --network none'.split(' '),
        ...names.flatMap(name => ['-e', name]),
        ...['default', 'sh', '-c', 'echo $1; env | grep -E "^(NODE|NO|FORCE|UV)_" | sort', 'x'],
        '--env-file=/nonexistent',
      ],
      { encoding: 'utf8', env: { ...own, MINILAB_DATA: data[self], ...env } },
    )
  expect(run({})).toMatchObject({ stdout: '--env-file=/nonexistent\n', stderr: '' })
  const all = {
    FORCE_COLOR: '1',
    NODE_DEBUG: 'fs',
    NODE_OPTIONS: '--not-an-option',
    NO_COLOR: '1',
    UV_THREADPOOL_SIZE: '3',
  }
  expect(run(all)).toMatchObject({
    stdout: `--env-file=/nonexistent\n${Object.entries(all)
      .map(([name, value]) => `${name}=${value}\n`)
      .join('')}`,
    stderr: '',
  })
})

test.each(thorough(['the kernel takes']))('as many arguments as %s', async () => {
  const many = ['sh', '-c', 'echo $# $1', 'x', '--rm', ...Array<string>(150_000).fill('a')]
  const minilab = (words: string, more: string[]) =>
    runMinilab(words.split(' ').concat(more), { data: data[self] })
  const all = { stdout: '150001 --rm\n', stderr: '', status: 0 }
  expect(await minilab('run --rm --network none default', many)).toMatchObject(all)
  await minilab('run -d --name many --network none default', ['sleep', '1000'])
  expect(await minilab('exec many', many)).toMatchObject(all)
  await minilab('rm -f', ['many'])
})
