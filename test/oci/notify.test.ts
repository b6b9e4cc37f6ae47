// linux.seccomp with SCMP_ACT_NOTIFY: an agent gets the listener of a container's filter, and decides about its calls; beside runc.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { certain } from '../../lib/common/certain.ts'
import { until } from '../../lib/common/until.ts'
import { arch, numbers } from '../../lib/kernel/syscalls/syscall-numbers.ts'
import { arrange } from '../../lib/oci/own-parts/arrange.ts'
import { Bench, type Config, type Unfit } from './bench.ts'
import { lacking, OURS } from './engines.ts'

const EDQUOT = 122
const number = (name: 'uname' | 'getuid' | 'geteuid') => numbers[name][arch === 'x64' ? 0 : 1]

/**
 * It writes each message to a file, a line each. It answers getuid and geteuid with 4242, lets uname go on, and refuses all other
 * calls. The structs and requests are those of linux/seccomp.h.
 */
const AGENT = `
import array, fcntl, socket, struct, sys, threading
path, said, uid, euid, uname = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
RECV, SEND, CONTINUE = 0xC0502100, 0xC0182101, 1
def serve(listener):
    while True:
        request = bytearray(80)
        try: fcntl.ioctl(listener, RECV, request)
        except OSError: return
        id, nr = struct.unpack_from('<Q8xi', request)
        answer = (4242, 0, 0) if nr in (uid, euid) else (0, 0, CONTINUE) if nr == uname else (0, -${EDQUOT}, 0)
        try: fcntl.ioctl(listener, SEND, struct.pack('<QqiI', id, *answer))
        except OSError: pass
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen()
while True:
    connection, _ = server.accept()
    message, control, _, _ = connection.recvmsg(65536, 64)
    (listener,) = array.array('i', control[0][2])
    with open(said, 'ab') as file: file.write(message + b'\\n')
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
`

const lacks = lacking('runc', 'python3')
describe.skipIf(lacks)(`a listener of seccomp${lacks}`, () => {
  let bench: Bench
  let agent: ChildProcess
  let path: string
  let said: string
  beforeAll(async () => {
    bench = new Bench()
    path = join(bench.folder, 'agent')
    said = join(bench.folder, 'said')
    const calls = [number('getuid'), number('geteuid'), number('uname')].map(String)
    agent = spawn('python3', ['-c', AGENT, path, said, ...calls], { stdio: ['ignore', 'ignore', 'inherit'] })
    expect(await until(() => existsSync(path), 30_000)).toBe(true)
  })
  beforeEach(() => writeFileSync(said, ''))
  afterAll(async () => {
    const over = once(agent, 'exit')
    agent.kill()
    await over
    bench[Symbol.dispose]()
  })

  const profile = (more: object = {}) => ({
    defaultAction: 'SCMP_ACT_ALLOW',
    listenerPath: path,
    listenerMetadata: 'for the agent',
    syscalls: [{ names: ['getuid', 'geteuid', 'mkdir', 'mkdirat'], action: 'SCMP_ACT_NOTIFY' }],
    ...more,
  })
  const notifying =
    (more: object = {}, change: (config: Config & Unfit) => void = () => {}) =>
    (config: Config & Unfit) => {
      config.linux.seccomp = profile(more) as never
      config.mounts.push({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs' })
      config.annotations = { of: 'the test' }
      change(config)
    }

  interface Message extends Unfit {
    pid: number
    state: { pid: number; id: string; status: string; bundle: string }
  }
  /** The messages that the agent got. */
  const messages = () =>
    readFileSync(said, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map(line => JSON.parse(line) as Message)
  /** What is the same for both runtimes. runc names its own version of the specification, ours that of config.json. */
  const comparable = ({ pid, state, ...message }: Message) => ({
    ...message,
    ociVersion: expect.any(String) as string,
    own: pid === state.pid,
    state: { ...state, pid: 0, ociVersion: expect.any(String) as string },
  })
  /** Nothing of ours is left. */
  const nothingLeft = () => {
    const root = bench.root(OURS)
    if (existsSync(root)) expect(readdirSync(root)).toEqual([])
  }

  const SCRIPT = 'id -u; mkdir /tmp/x; echo $?'
  const PRIVILEGES: [string, boolean][] = [
    ['with no_new_privs', true],
    ['without, so that the filter comes before the change of user', false],
  ]
  test.each(PRIVILEGES)('another program decides about calls, %s', (_, noNewPrivileges) => {
    const [runc, ours] = bench.both(
      ['sh', '-c', SCRIPT],
      notifying({}, ({ process }) => {
        process.noNewPrivileges = noNewPrivileges
        process.user = { uid: 1000, gid: 1000 }
      }),
    )
    expect(ours).toEqual(runc)
    expect(ours.stdout).toBe('4242\n1\n')
    expect(ours.stderr).toMatch(/mkdir: .*quota exceeded/i)
    const [theirs, own, ...more] = messages()
    expect(more).toEqual([])
    expect(comparable(certain(own))).toEqual(comparable(certain(theirs)))
    expect(own).toMatchObject({
      ociVersion: expect.stringMatching(/^1\.\d+\.\d+/),
      fds: ['seccompFd'],
      metadata: 'for the agent',
      state: { id: 'x', status: 'creating', annotations: { of: 'the test' } },
    })
    nothingLeft()
  })

  test('the agent can let a call go on; the flags of the profile are set, too', () => {
    const flags = ['SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV']
    const change = notifying({
      flags,
      syscalls: [{ names: ['uname', 'geteuid'], action: 'SCMP_ACT_NOTIFY' }],
    })
    const bundle = bench.bundle(['sh', '-c', 'uname -s; id -u'], change)
    const ran = bench.oci('run', '--bundle', bundle, 'x')
    expect(ran).toEqual({ status: 0, stdout: 'Linux\n4242\n', stderr: '' })
    nothingLeft()
  })

  test('`create` sends the listener, once, and the program has the filter; so has what `exec` starts', async () => {
    const bundle = bench.bundle(['sh', '-c', 'id -u >/tmp/x; exec sleep 100'], notifying())
    for (const runtime of ['runc', OURS]) {
      writeFileSync(said, '')
      const create = spawn(runtime, ['--root', bench.root(runtime), 'create', '--bundle', bundle, 'y'], {
        stdio: 'ignore',
      })
      expect(await once(create, 'exit')).toEqual([0, null])
      expect(await until(() => messages().length === 1, 30_000)).toBe(true)
      const state = JSON.parse(bench.call(runtime, ['state', 'y']).stdout) as { pid: number; status: string }
      expect(state.status).toBe('created')
      expect(messages()[0]).toMatchObject({ pid: state.pid, state: { pid: state.pid, status: 'creating' } })
      expect(bench.call(runtime, ['start', 'y'])).toMatchObject({ status: 0 })
      const ran = bench.call(runtime, [
        'exec',
        'y',
        'sh',
        '-c',
        'cat /tmp/x; id -u; grep Seccomp: /proc/self/status',
      ])
      expect(ran).toEqual({ status: 0, stdout: '4242\n4242\nSeccomp:\t2\n', stderr: '' })
      const [, exec, ...more] = messages()
      expect(more).toEqual([])
      expect(exec).toMatchObject({
        fds: ['seccompFd'],
        metadata: 'for the agent',
        pid: expect.any(Number),
        state: { pid: state.pid, id: 'y', status: 'running', bundle },
      })
      expect(exec?.pid).not.toBe(state.pid)
      // the program has no copy of the listener, or of what it waited at
      const open = bench.call(runtime, ['exec', 'y', 'sh', '-c', 'ls /proc/1/fd'])
      expect(open.stdout).toBe('0\n1\n2\n')
      // without an agent `exec` is refused, and leaves no process
      renameSync(path, `${path}.away`)
      const refused = bench.call(runtime, ['exec', 'y', 'true'])
      renameSync(`${path}.away`, path)
      expect(refused).toMatchObject({
        status: 255,
        stderr: expect.stringContaining('seccomp agent specified'),
      })
      expect(JSON.parse(bench.call(runtime, ['ps', '--format', 'json', 'y']).stdout)).toEqual([state.pid])
      expect(bench.call(runtime, ['delete', '--force', 'y']).status).toBe(0)
    }
    nothingLeft()
  })

  const notify = (names: string[]) => ({ syscalls: [{ names, action: 'SCMP_ACT_NOTIFY' }] })
  test.each<[string, object, RegExp]>([
    ['no listenerPath', { listenerPath: undefined }, /listenerPath is not set/],
    [
      'no socket',
      { listenerPath: '/nowhere/agent' },
      /seccomp agent specified in the seccomp profile: .*no such file/,
    ],
    ['write(2)', notify(['getuid', 'write']), /SCMP_ACT_NOTIFY cannot be used for the write syscall/],
    ['the default action', { defaultAction: 'SCMP_ACT_NOTIFY' }, /cannot be used as default action/],
  ])('is refused: %s', (_, more, why) => {
    const [runc, ours] = bench.both(['true'], notifying(more))
    for (const { status, stderr } of [runc, ours]) {
      expect(status).toBe(1)
      expect(stderr).toMatch(why)
    }
    expect(ours.stderr.trim().split('\n')).toHaveLength(1)
    expect(messages()).toEqual([])
    nothingLeft()
  })

  test('a refused call between the filter and the program is told by its name', () => {
    const bundle = bench.bundle(
      ['true'],
      notifying({}, config => {
        const { process, linux } = config
        config.mounts = config.mounts.filter(({ type }) => type !== 'devpts') // its gid is not mapped
        linux.namespaces.push({ type: 'user' })
        linux.uidMappings = [{ containerID: 0, hostID: 0, size: 1 }]
        linux.gidMappings = [{ containerID: 0, hostID: 0, size: 1 }]
        process.user = { uid: 7, gid: 0 }
      }),
    )
    const { status, stderr } = bench.oci('run', '--bundle', bundle, 'x')
    expect(status).toBe(1)
    expect(stderr).toMatch(/no user 7:0|setresuid\(7/)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    nothingLeft()
  })

  test('--mine refuses it', () => {
    const spec = { linux: { namespaces: [{ type: 'mount' }], seccomp: profile() } }
    expect(() => arrange([], {} as never, { spec } as never)).toThrow('linux.seccomp with SCMP_ACT_NOTIFY')
  })
})
