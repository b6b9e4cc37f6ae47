// The command line as an engine uses it, on bundles of our own: beside runc where both have something to say.
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Spec } from '../../lib/container/spec.ts'
import { until } from '../../lib/common/until.ts'
import { hierarchyOf } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { processExists } from '../../lib/kernel/process/procfs.ts'
import { few } from '../support/minilab.ts'
import { endContainers, lacking, makeFolder, makeRootfs, OURS, remove, removeCgroups } from './engines.ts'

type Config = Spec & {
  hooks?: Record<string, { path: string; args?: string[]; env?: string[]; timeout?: number }[]>
}

/** A config.json as text that has any values. */
// eslint-disable-next-line typescript/no-explicit-any -- what it is for
type Unfit = Record<string, any>

const lacks = lacking('runc')
describe.skipIf(lacks)(`minilab-oci${lacks}`, () => {
  const folder = makeFolder()
  const rootfs = join(folder, 'rootfs')
  let count = 0
  beforeAll(() => void makeRootfs(rootfs))
  afterAll(() => remove(folder))

  /** A bundle with the config of `runc spec`, changed. */
  function bundle(args: string[], change: (config: Config) => void = () => {}): string {
    const path = join(folder, `bundle-${count++}`)
    mkdirSync(path)
    execFileSync('runc', ['spec', '--bundle', path])
    const config = JSON.parse(readFileSync(join(path, 'config.json'), 'utf8')) as Config
    config.process.terminal = false
    config.process.args = args
    config.root.path = rootfs
    config.linux.cgroupsPath = `/${PARENT}/${count}`
    change(config)
    writeFileSync(join(path, 'config.json'), JSON.stringify(config))
    return path
  }

  const rootOf = (runtime: string) => join(folder, `state-${runtime.replaceAll('/', '')}`)
  const run = (runtime: string, ...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(runtime, ['--root', rootOf(runtime), ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
    })
    return { status, stdout, stderr }
  }
  const oci = (...args: string[]) => run(OURS, ...args)
  /** Of `create`: its stdout and stderr are the container's, so they are no pipes that a container would keep open. */
  const create = (id: string, path: string, ...more: string[]) =>
    spawnSync(
      OURS,
      ['--root', rootOf(OURS), '--log', join(path, 'log'), 'create', '--bundle', path, ...more, id],
      { stdio: 'ignore' },
    ).status
  const statusOf = (id: string) =>
    (JSON.parse(oci('state', id).stdout) as { status: string; pid: number }).status
  const PARENT = `minilab-oci-test-${process.pid}`
  /** Directories of containers; their parent may be left by runc. */
  const cgroups = () =>
    // its status is not asked for: others' directories go while it looks
    spawnSync('find', ['/sys/fs/cgroup', '-type', 'd', '-path', `*/${PARENT}/*`], { encoding: 'utf8' }).stdout
  afterAll(() => {
    for (const runtime of ['runc', OURS]) endContainers(runtime, rootOf(runtime))
    removeCgroups(PARENT)
  })

  test('create, state, start, kill, delete', async () => {
    const path = bundle(['sh', '-c', 'sleep 100'])
    expect(create('a', path, '--pid-file', join(path, 'pid'))).toBe(0)
    const pid = readFileSync(join(path, 'pid'), 'utf8')
    expect(pid).toMatch(/^\d+$/) // without a newline: engines take all bytes for a number
    expect(JSON.parse(oci('state', 'a').stdout)).toMatchObject({
      ociVersion: '1.0.2-dev',
      id: 'a',
      status: 'created',
      pid: Number(pid),
      bundle: path,
    })
    // no process of ours stays, and the first process has nothing of Node in it
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    expect(status).toMatch(/^Threads:\t1$/m)
    expect(Number(/^VmRSS:\t *(\d+) kB/m.exec(status)?.[1])).toBeLessThan(100)
    expect(
      execFileSync('ps', ['-o', 'comm=', '-p', /^PPid:\t(\d+)/m.exec(status)?.[1] ?? ''], {
        encoding: 'utf8',
      }),
    ).not.toMatch(/node|minilab/)
    expect(oci('start', 'a')).toMatchObject({ status: 0, stdout: '', stderr: '' })
    expect(statusOf('a')).toBe('running')
    expect(oci('list', '-q').stdout).toBe('a\n')
    expect(JSON.parse(oci('ps', '--format', 'json', 'a').stdout)).toContain(Number(pid))
    expect(oci('kill', 'a', '9').status).toBe(0)
    await until(() => statusOf('a') === 'stopped', 10_000)
    expect(oci('delete', 'a')).toMatchObject({ status: 0, stdout: '', stderr: '' })
    expect(oci('state', 'a').stderr).toMatch(/container does not exist/)
    expect(cgroups()).toBe('')
    expect(readdirSync(rootOf(OURS))).toEqual([])
  })

  /** The limit of memory that a cgroup has, on either version: no limit is `max`, or the largest number of whole pages. */
  const memoryLimit = (cgroup: string) => {
    const { mount = '', version } = hierarchyOf('memory') ?? {}
    const text = readFileSync(
      join(mount, cgroup, version === 1 ? 'memory.limit_in_bytes' : 'memory.max'),
      'utf8',
    )
    return text === 'max\n' || Number(text) > 2 ** 62 ? Infinity : Number(text)
  }

  test('pause, exec, resume, update', () => {
    const path = bundle(['sleep', '100'], ({ root }) => (root.readonly = false))
    create('p', path)
    oci('start', 'p')
    expect(oci('pause', 'p').status).toBe(0)
    expect(statusOf('p')).toBe('paused')
    expect(oci('exec', 'p', 'true').stderr).toMatch(/cannot exec in a paused container/)
    expect(oci('resume', 'p').status).toBe(0)
    expect(
      oci('exec', '-e', 'A=b', '--user', '1000:5', 'p', 'sh', '-c', 'echo $A $(id -u):$(id -g); exit 3'),
    ).toEqual({
      status: 3,
      stdout: 'b 1000:5\n',
      stderr: '',
    })
    writeFileSync(join(path, 'limits'), '{"pids": {"limit": 7}}')
    expect(oci('update', '--resources', join(path, 'limits'), 'p').status).toBe(0)
    // cgroup v1 has a limit of memory and one of memory and swap, which may not be the lower one at any moment
    for (const limit of [64 << 20, 128 << 20, 64 << 20, -1]) {
      writeFileSync(join(path, 'limits'), JSON.stringify({ memory: { limit, swap: limit } }))
      expect(oci('update', '--resources', join(path, 'limits'), 'p')).toMatchObject({ status: 0, stderr: '' })
      expect(memoryLimit(`/${PARENT}/${count}`)).toBe(limit < 0 ? Infinity : limit)
    }
    oci('pause', 'p')
    expect(oci('delete', 'p').stderr).toMatch(/cannot delete container p that is not stopped: paused/)
    expect(oci('delete', '--force', 'p').status).toBe(0) // of cgroup v1 a frozen process does not die
    expect(cgroups()).toBe('')
  })

  const WRONG: [what: string, args: (path: string) => string[], says: RegExp][] = [
    ['state of what is not there', () => ['state', 'no'], /container does not exist/],
    ['start of what is not there', () => ['start', 'no'], /container does not exist/],
    ['delete of what is not there', () => ['delete', 'no'], /container does not exist/],
    ['an id with a slash', path => ['create', '--bundle', path, 'a/b'], /invalid container ID format/],
    ['an id of dots', path => ['create', '--bundle', path, '..'], /invalid container ID format/],
    [
      'a bundle without config.json',
      () => ['create', '--bundle', '/', 'x'],
      /JSON specification file .*not found/,
    ],
    [
      'no such program',
      () => ['run', '--bundle', bundle(['nosuch']), 'x'],
      /exec: "nosuch": executable file not found in \$PATH/,
    ],
    [
      'a file that is no program',
      () => ['run', '--bundle', bundle(['/etc/passwd']), 'x'],
      /exec: "\/etc\/passwd": permission denied/,
    ],
    [
      'a terminal without a socket',
      () => ['create', '--bundle', bundle(['sh'], ({ process }) => (process.terminal = true)), 'x'],
      /without setting console socket/,
    ],
    [
      'an unknown namespace',
      () => [
        'run',
        '--bundle',
        bundle(['sh'], ({ linux }) => linux.namespaces.push({ type: 'no' as 'pid' })),
        'x',
      ],
      /namespace "no" does not exist/,
    ],
    ['no args', () => ['run', '--bundle', bundle([]), 'x'], /args must not be empty/],
    [
      'a cwd that is not absolute',
      () => ['run', '--bundle', bundle(['sh'], ({ process }) => (process.cwd = 'a')), 'x'],
      /Cwd must be an absolute path/,
    ],
    [
      'a mount in /proc',
      () => [
        'run',
        '--bundle',
        bundle(['sh'], ({ mounts }) =>
          mounts.push({ destination: '/proc/self', type: 'bind', source: '/tmp', options: ['bind'] }),
        ),
        'x',
      ],
      /"\/proc\/self" cannot be mounted because it is inside \/proc/,
    ],
    ['an unknown command', () => ['nothing'], /nothing/],
    ['an unknown flag', () => ['state', '--nothing', 'x'], /flag provided but not defined: -nothing/],
  ]
  test.each(few(4, WRONG))('as runc: %s', (_, args, says) => {
    const words = args(bundle(['true']))
    const ours = oci(...words)
    expect(ours.status).not.toBe(0)
    expect(ours.stderr.replaceAll('\\"', '"')).toMatch(says) // a message in quotes
    expect(existsSync(join(rootOf(OURS), 'x'))).toBe(false)
    expect(run('runc', ...words).status).not.toBe(0)
  })

  /** Each with a value that was taken once: as it is it cannot be recorded, opens more than it says, or means root. */
  const UNFIT: [what: string, change: (config: Unfit) => void][] = [
    ['an annotation that is a number', config => (config.annotations = { a: 5 })],
    ['hooks of another shape', config => (config.hooks = { poststop: 'x' })],
    [
      'a hook without a timeout above 0',
      config => (config.hooks = { poststop: [{ path: '/x', timeout: 0 }] }),
    ],
    ['an unknown propagation', config => (config.linux.rootfsPropagation = 'sharde')],
    ['a cgroupsPath that is the root', config => (config.linux.cgroupsPath = '/x/..')],
    [
      'a device rule whose allow is a word',
      config => (config.linux.resources.devices = [{ allow: 'false' }]),
    ],
    ['resources that are a word', config => (config.linux.resources = 'x')],
    ['a sysctl that is a number', config => (config.linux.sysctl = 5)],
    ['seccomp without an action', config => (config.linux.seccomp = {})],
    ['a gid above 32 bits', config => (config.process.user.gid = 2 ** 32)],
    ['a gid that means "as it is"', config => (config.process.user.gid = 2 ** 32 - 1)],
    ['a group above 32 bits', config => (config.process.user.additionalGids = [2 ** 32 + 3])],
    ['a NUL in an argument', config => (config.process.args = ['echo', 'a\0b'])],
  ]
  test.each(few(5, UNFIT))('%s is refused, and nothing is left', (_, change) => {
    const path = bundle(['true'], change)
    const { status, stdout, stderr } = oci('run', '--bundle', path, 'unfit')
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(/^[^\n]+: correct the bundle: runtime-spec, config\.md"\n$/)
    expect(existsSync(join(rootOf(OURS), 'unfit'))).toBe(false)
  })

  test('an empty cgroupsPath is none; root enters no working directory through a descriptor of the caller', () => {
    const path = bundle(['cat', '/proc/self/cgroup'], ({ linux }) => (linux.cgroupsPath = ''))
    expect(oci('run', '--bundle', path, 'empty').stdout).toContain('/minilab/empty')
    const outside = bundle(['pwd'], ({ process }) => (process.cwd = '/proc/self/fd/0'))
    const stdin = openSync('/tmp', 'r')
    const { status, stdout } = spawnSync(OURS, ['--root', rootOf(OURS), 'run', '--bundle', outside, 'out'], {
      encoding: 'utf8',
      stdio: [stdin, 'pipe', 'pipe'],
    })
    closeSync(stdin)
    expect([status, stdout]).toEqual([1, ''])
  })

  test('delete --force takes away what has a damaged state', () => {
    expect(create('damaged', bundle(['sleep', '100']))).toBe(0)
    const { pid } = JSON.parse(oci('state', 'damaged').stdout) as { pid: number }
    writeFileSync(join(rootOf(OURS), 'damaged/state.json'), '{"annotations":{"a":5}}')
    expect(oci('delete', '--force', 'damaged')).toEqual({ status: 0, stdout: '', stderr: '' })
    expect([existsSync(join(rootOf(OURS), 'damaged')), processExists(pid)]).toEqual([false, false])
    expect(cgroups()).toBe('')
  })

  test('exec takes ids of 32 bits', () => {
    create('ids', bundle(['sleep', '100']))
    for (const words of [
      ['-u', '4294967296'],
      ['-u', '-1'],
      ['-u', 'u'],
      ['-u', '1:1.5'],
      ['-g', 'x'],
    ])
      expect(oci('exec', ...words, 'ids', 'id')).toEqual({
        status: 255,
        stdout: '',
        stderr: expect.stringContaining('is no user id or group id') as string,
      })
    oci('delete', '--force', 'ids')
  })

  test('a hook inside gets a state of any size', () => {
    const path = bundle(['echo', 'hi'], config => {
      config.annotations = { a: 'x'.repeat(200_000) }
      config.hooks = { createContainer: [{ path: '/bin/sh', args: ['sh', '-c', '[ $(wc -c) -gt 200000 ]'] }] }
    })
    expect(oci('run', '--bundle', path, 'large')).toEqual({ status: 0, stdout: 'hi\n', stderr: '' })
  })

  test.each([
    ['--no-pivot', ['create', '--no-pivot', 'x']],
    ['checkpoint', ['checkpoint', 'x']],
  ])('%s is refused by name', (name, args) => expect(oci(...args).stderr).toMatch(`${name} is not supported`))

  test('the last error is in the log, as JSON or as text, and on stderr', () => {
    const log = join(folder, 'log.json')
    const { stderr } = oci('--log', log, '--log-format', 'json', 'state', 'no')
    expect(JSON.parse(readFileSync(log, 'utf8'))).toEqual({
      level: 'error',
      msg: expect.stringContaining('container does not exist') as string,
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as string,
    })
    expect(stderr).toMatch(/^container does not exist/)
    oci('--log', join(folder, 'log'), 'state', 'no')
    expect(readFileSync(join(folder, 'log'), 'utf8')).toMatch(
      /^time="[^"]+" level=error msg="container does not exist/,
    )
  })

  test('delete --force of what is not there succeeds', () =>
    expect(oci('delete', '--force', 'no').status).toBe(0))

  test('of many that start at once, one succeeds', async () => {
    create('s', bundle(['sleep', '100']))
    const start = promisify(execFile)
    const all = await Promise.allSettled(
      Array.from({ length: 5 }, () => start(OURS, ['--root', rootOf(OURS), 'start', 's'])),
    )
    expect(all.filter(({ status }) => status === 'fulfilled').length).toBe(1)
    expect(oci('start', 's').stderr).toMatch(/cannot start an already running container/)
    oci('delete', '--force', 's')
  })

  test('of many that create the same at once, one succeeds', async () => {
    const path = bundle(['sleep', '100'])
    const all = await Promise.all(
      Array.from({ length: 4 }, () => {
        const child = spawn(OURS, ['--root', rootOf(OURS), 'create', '--bundle', path, 'same'], {
          stdio: 'ignore',
        })
        return new Promise(resolve => child.on('exit', resolve))
      }),
    )
    expect(all.toSorted()).toEqual([0, 1, 1, 1])
    oci('delete', '--force', 'same')
    expect(cgroups()).toBe('')
  })

  test('a create that is killed leaves no process, and delete --force removes the rest', async () => {
    // at several moments: they differ from run to run
    for (const files of [1, 2, 3, 4, 5, 6]) {
      const child = spawn(
        OURS,
        ['--root', rootOf(OURS), 'create', '--bundle', bundle(['sleep', '100']), 'k'],
        { stdio: 'ignore', detached: true },
      )
      const over = new Promise(resolve => child.on('exit', resolve))
      const place = join(rootOf(OURS), 'k')
      while (child.exitCode === null && !(existsSync(place) && readdirSync(place).length >= files))
        await new Promise(setImmediate)
      child.kill('SIGKILL')
      await over
      oci('delete', '--force', 'k')
      expect(cgroups()).toBe('')
      expect(existsSync(place)).toBe(false)
    }
  })

  test('a start that is killed after it has claimed the container does not stop the next', () => {
    create('c', bundle(['sleep', '100']))
    execFileSync('mv', ['start', 'start.1-1'], { cwd: join(rootOf(OURS), 'c') }) // as a process that has gone: process 1 began at 0
    expect(statusOf('c')).toBe('created')
    expect(oci('start', 'c').status).toBe(0)
    expect(statusOf('c')).toBe('running')
    oci('delete', '--force', 'c')
  })

  test('hooks run in their order, in their namespaces, with the state on stdin; one that fails ends the container', () => {
    const says = (kind: string) => ({
      path: '/bin/sh',
      args: [
        'sh',
        '-c',
        `read s; case $s in *'"status":"'*'"pid":'*) ok=yes;; esac; echo ${kind} $FOO $ok $(test -e /home/u && echo inside) >>${kind === 'startContainer' ? '/said' : join(folder, 'said')}`,
      ],
      env: ['FOO=bar', 'PATH=/bin:/usr/bin'],
      timeout: 20,
    })
    const kinds = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart']
    const path = bundle(['cat', '/said'], config => {
      config.root.readonly = false
      config.hooks = Object.fromEntries(kinds.map(kind => [kind, [says(kind)]]))
      config.hooks.poststop = [
        { path: '/bin/sh', args: ['sh', '-c', `echo poststop >>${join(folder, 'said')}`] },
      ]
    })
    expect(oci('run', '--bundle', path, 'h')).toEqual({
      status: 0,
      stdout: 'startContainer bar yes inside\n',
      stderr: '',
    })
    expect(readFileSync(join(folder, 'said'), 'utf8')).toBe(
      'prestart bar yes\ncreateRuntime bar yes\ncreateContainer bar yes\npoststart bar yes\npoststop\n',
    )
    for (const kind of ['createRuntime', 'createContainer', 'startContainer']) {
      const failing = bundle(
        ['true'],
        config =>
          (config.hooks = { [kind]: [{ path: '/bin/sh', args: ['sh', '-c', 'echo why >&2; exit 3'] }] }),
      )
      const { status, stderr } = oci('run', '--bundle', failing, 'h')
      expect(status).toBe(1)
      expect(stderr).toMatch(new RegExp(`error running ${kind} hook /bin/sh: exit status 3: stderr: .*why`))
    }
    const slow = bundle(
      ['true'],
      config => (config.hooks = { prestart: [{ path: '/bin/sleep', args: ['sleep', '100'], timeout: 1 }] }),
    )
    expect(oci('run', '--bundle', slow, 'h').stderr).toMatch(/longer than its timeout/)
    expect(cgroups()).toBe('')
  })

  test('descriptors are preserved if asked for, and no others', () => {
    const script = (more: string) =>
      `exec 3</dev/zero 4</dev/zero 5</; ${OURS} --root ${rootOf(OURS)} run ${more} --bundle ${bundle(['sh', '-c', 'for fd in 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$fd ] && echo $fd; done; true'])} f`
    const look = (more: string) => spawnSync('bash', ['-c', script(more)], { encoding: 'utf8' }).stdout
    expect(look('')).toBe('')
    expect(look('--preserve-fds 2')).toBe('3\n4\n')
    expect(oci('create', '--preserve-fds', '9', '--bundle', bundle(['true']), 'f').stderr).toMatch(
      /9 descriptors cannot be preserved/,
    )
  })

  // What a command loads, counted: time depends on the machine. Node starts in half of the time that koffi and the parts take
  test.each([
    ['state', 13],
    ['start', 15],
    ['kill', 13],
    ['delete', 16],
  ])('%s loads few modules, and no package', (command, most) => {
    const note = join(folder, 'note.mjs')
    writeFileSync(
      note,
      `import module from 'node:module'\nimport { writeFileSync } from 'node:fs'\nconst urls = []
       module.registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) })
       process.on('exit', () => writeFileSync(process.env.MODULES, urls.join('\\n')))`,
    )
    create('m', bundle(['true']))
    if (command === 'delete') {
      oci('start', 'm')
      spawnSync('sh', [
        '-c',
        `until ${OURS} --root ${rootOf(OURS)} state m | grep -q stopped; do sleep 0.1; done`,
      ])
    }
    const modules = join(folder, 'modules')
    execFileSync(
      process.execPath,
      ['--import', note, join(OURS, '../oci.mjs'), '--root', rootOf(OURS), command, 'm'],
      {
        env: { ...process.env, MODULES: modules },
        stdio: 'ignore',
      },
    )
    oci('delete', '--force', 'm')
    const loaded = readFileSync(modules, 'utf8').split('\n')
    expect(loaded.filter(url => url.includes('/node_modules/'))).toEqual([])
    expect(loaded.filter(url => url.includes('/lib/')).length).toBeLessThanOrEqual(most)
  })
})
