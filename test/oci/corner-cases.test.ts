// Configurations that are odd, and what comes of them: as with runc, or refused with the reason.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Bench, type Config, type Unfit } from './bench.ts'
import { few } from '../support/minilab.ts'
import { lacking, OURS } from './engines.ts'

const USER = (config: Config) => {
  config.linux.namespaces.push({ type: 'user' })
  config.linux.uidMappings = config.linux.gidMappings = [{ containerID: 0, hostID: 0, size: 100 }]
}

const lacks = lacking('runc')
describe.skipIf(lacks)(`corner cases of config.json${lacks}`, () => {
  let bench: Bench
  beforeAll(() => {
    bench = new Bench()
    const at = (path: string) => join(bench.rootfs, path)
    mkdirSync(at('real'))
    mkdirSync(at('folder'))
    writeFileSync(at('real/file'), 'secret\n')
    writeFileSync(at('folder/file'), 'secret\n')
    for (const [link, target] of [
      ['absolute', '/real/file'],
      ['relative', 'real/file'],
      ['outside', '../../../etc/passwd'],
      ['dir', '/folder'],
      ['nowhere', '/nothing'],
    ] as const)
      symlinkSync(target, at(link))
    writeFileSync(at('bin/odd'), 'no program', { mode: 0o755 })
  })
  afterAll(() => bench[Symbol.dispose]())

  /** What is the same with runc: its output and its exit status, which are given so that two equal failures do not count. */
  const SAME: [what: string, args: string[], change: (config: Config & Unfit) => void, stdout: RegExp][] = [
    ...['absolute', 'relative', 'outside', 'dir', 'nowhere', 'real/file', 'folder'].map(
      (name): (typeof SAME)[number] => [
        `a masked path that is ${name}`,
        ['sh', '-c', 'cat /real/file; ls /folder; cat /etc/passwd; [ -d /dir ] && echo dir'],
        ({ linux }) => (linux.maskedPaths = [`/${name}`]),
        /dir\n$/,
      ],
    ),
    [
      'a masked path that leaves /proc',
      ['cat', '/real/file'],
      ({ linux }) => (linux.maskedPaths = ['/proc/../real/file']),
      /^$/,
    ],
    [
      'a read-only path that is a link, and whose programs are executed',
      ['sh', '-c', 'touch /bin/x; touch /folder/x 2>&1; echo $?; touch /etc/x && rm /etc/x; echo $?'],
      ({ linux, root }) => {
        root.readonly = false
        linux.readonlyPaths = ['/dir', '/bin']
      },
      /Read-only file system\n1\n0\n$/,
    ],
    [
      'the read-only path /',
      ['sh', '-c', 'touch /x 2>&1; touch /dev/x 2>&1; echo $?'],
      ({ linux, root }) => {
        root.readonly = false
        linux.readonlyPaths = ['/']
      },
      /Read-only file system\n0\n$/,
    ],
    [
      'devices in the place of default ones',
      ['stat', '-c', '%n %a %u:%g %t:%T', '/dev/null', '/dev/tty', '/dev/zero'],
      ({ linux }) => {
        linux.resources = { devices: [{ allow: true, access: 'rwm' }] }
        linux.devices = [
          { type: 'c', path: '/dev/null', major: 1, minor: 3, fileMode: 0o640, uid: 5, gid: 6 },
          { type: 'c', path: '/dev/tty', major: 1, minor: 5 },
        ]
      },
      /^\/dev\/null 640 5:6 1:3\n\/dev\/tty 666 0:0 1:5\n\/dev\/zero 666 0:0 1:5\n$/,
    ],
    [
      'a device in a user namespace',
      ['stat', '-c', '%n %t:%T', '/dev/net/tun'],
      config => {
        USER(config)
        config.linux.devices = [{ type: 'c', path: '/dev/net/tun', major: 10, minor: 200 }]
      },
      /^\/dev\/net\/tun a:c8\n$/,
    ],
    [
      'a relative cgroupsPath',
      ['cat', '/proc/self/cgroup'],
      ({ linux }) => {
        linux.namespaces = linux.namespaces.filter(({ type }) => type !== 'cgroup')
        linux.cgroupsPath = `../${bench.parent}/relative`
      },
      /\/minilab-oci-[^/]+\/relative\n/,
    ],
  ]
  test.each(few(5, SAME))('as runc: %s', (_, args, change, stdout) => {
    const [runc, ours] = bench.both(args, change)
    expect(ours.stdout).toMatch(stdout)
    expect([ours.stdout, ours.status]).toEqual([runc.stdout, runc.status])
  })

  const SAYS: [what: string, change: (config: Config & Unfit) => void, says: RegExp][] = [
    [
      'a source that is not there',
      ({ mounts }) => mounts.push({ destination: '/t', source: '/no/such', options: ['bind'] }),
      /error mounting "\/no\/such" to rootfs at "\/t": .*no such file or directory/,
    ],
    [
      'an unknown file system',
      ({ mounts }) => mounts.push({ destination: '/t', type: 'nosuch', source: 'none' }),
      /error mounting "none" to rootfs at "\/t": .*no such device/,
    ],
    [
      'a working directory that is a file',
      ({ process }) => (process.cwd = '/etc/passwd'),
      /"?\/etc\/passwd"?.*: not a directory/,
    ],
    [
      'a group that has no mapping',
      config => {
        USER(config)
        config.process.user.additionalGids = [700]
      },
      /setgroups.*invalid argument/,
    ],
    [
      'a device that is none of the machine, in a user namespace',
      config => {
        USER(config)
        config.linux.devices = [{ type: 'c', path: '/dev/nosuch', major: 1, minor: 5 }]
      },
      /\/dev\/nosuch.*no such file or directory/,
    ],
    [
      'a masked path below a file',
      ({ linux }) => (linux.maskedPaths = ['/etc/passwd/x']),
      /\/etc\/passwd\/x/,
    ],
  ]
  test.each(few(3, SAYS))('as runc, refused with what it is about: %s', (_, change, says) => {
    for (const { status, stdout, stderr } of bench.both(['true'], change)) {
      expect([status, stdout]).toEqual([1, ''])
      expect(stderr.replaceAll('\\"', '"')).toMatch(says)
    }
    expect(existsSync(join(bench.root(OURS), 'x'))).toBe(false)
  })

  test('a sysctl that is not there, and a mask of all, are told by their names', () => {
    const sysctl = bench.bundle(['true'], ({ linux }) => (linux.sysctl = { 'net.nosuch': '1' }))
    expect(bench.oci('run', '--bundle', sysctl, 'x').stderr).toMatch(/error setting sysctl net\.nosuch/)
    const mask = bench.bundle(['true'], ({ linux }) => (linux.maskedPaths = ['/proc/..']))
    expect(bench.oci('run', '--bundle', mask, 'x').stderr).toMatch(/"\/\\?" cannot be masked/)
  })

  test('/proc/self/exe is no program, in the words of runc: by exec, by run, by a script', () => {
    const says = 'exec /proc/self/exe: no such file or directory\n'
    const [runc, ours] = bench.both(['/proc/self/exe'])
    expect([runc.stderr, runc.stdout, ours.stderr, ours.stdout]).toEqual([says, '', says, ''])
    expect(ours.status).toBe(127)
    writeFileSync(join(bench.rootfs, 'bin/itself'), '#!/proc/self/exe\n', { mode: 0o755 })
    expect(bench.both(['itself'])[1]).toEqual({ status: 127, stdout: '', stderr: says })
    const minilab = spawnSync(join(OURS, '../minilab'), ['run', '--rm', 'default', '/proc/self/exe'], {
      encoding: 'utf8',
    })
    expect([minilab.status, minilab.stderr]).toEqual([127, says])
  })

  const EXEC: [args: string[], says: RegExp][] = [
    [['/no/such'], /exec: "\/no\/such": stat \/no\/such: no such file or directory/],
    [['nosuch'], /exec: "nosuch": executable file not found in \$PATH/],
    [['/etc/passwd'], /exec: "\/etc\/passwd": permission denied/],
    [['/etc'], /exec: "\/etc": permission denied/],
    [['/bin/odd'], /exec \/bin\/odd: exec format error/],
    [['odd'], /exec (\/bin\/)?odd: exec format error/],
    [
      ['--cwd', '/no/such'],
      /chdir to cwd \("\/no\/such"\) set in config\.json failed: no such file or directory/,
    ],
    [
      ['--cwd', '/etc/passwd'],
      /chdir to cwd \("\/etc\/passwd"\) set in config\.json failed: not a directory/,
    ],
    [['--cwd', 'bin'], /exec failed: Cwd must be an absolute path/],
  ]
  test('as runc: exec that fails', () => {
    const path = bench.bundle(['sleep', '1000'])
    try {
      for (const runtime of ['runc', OURS]) {
        expect(bench.start(runtime, 'exec', path)).toBe(0)
        for (const [args, says] of EXEC) {
          const words = args[0] === '--cwd' ? [...args, 'exec', 'true'] : ['exec', ...args]
          const { status, stdout, stderr } = bench.call(runtime, ['exec', ...words])
          expect(stderr.replaceAll('\\"', '"')).toMatch(says)
          expect(stdout).toBe('')
          expect(status).not.toBe(0)
        }
        bench.call(runtime, ['delete', '--force', 'exec'])
      }
    } finally {
      for (const runtime of ['runc', OURS]) bench.call(runtime, ['delete', '--force', 'exec'])
    }
  })

  test('as runc: exec into a container that has as many processes as it may', () => {
    const path = bench.bundle(['sleep', '1000'], ({ linux }) => (linux.resources = { pids: { limit: 1 } }))
    for (const runtime of ['runc', OURS]) {
      expect(bench.start(runtime, 'full', path)).toBe(0)
      const exec = () => bench.call(runtime, ['exec', 'full', 'sh', '-c', 'exit 6'])
      let answer = exec()
      // runc's init is a program in Go, which may want one more thread when it is in the cgroup already
      for (let i = 0; runtime === 'runc' && i < 20 && answer.stderr.includes('pthread_create failed'); i++)
        answer = exec()
      expect(answer).toMatchObject({ status: 6, stderr: '' })
      bench.call(runtime, ['delete', '--force', 'full'])
    }
  })

  test('as runc: events --stats', () => {
    const path = bench.bundle(['sleep', '1000'], ({ linux }) => {
      linux.resources = { memory: { limit: 64 << 20 }, pids: { limit: 12 } }
    })
    /** All values by their paths. */
    const flat = (value: unknown, at = ''): [string, unknown][] =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.entries(value).flatMap(([name, inner]) => flat(inner, `${at}.${name}`))
        : [[at, value]]
    const said = (runtime: string) => {
      expect(bench.start(runtime, 'stats', path)).toBe(0)
      // runc's start returns before its own threads have gone
      const { pid } = JSON.parse(bench.call(runtime, ['state', 'stats']).stdout) as { pid: number }
      while (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('sleep'));
      const { status, stdout } = bench.call(runtime, ['events', '--stats', 'stats'])
      bench.call(runtime, ['delete', '--force', 'stats'])
      expect([status, stdout.split('\n').length]).toEqual([0, 2])
      return new Map(flat(JSON.parse(stdout)))
    }
    const [runc, ours] = [said('runc'), said(OURS)]
    // intelRdt apart, and the settings of the cpuset, which no container can change
    const wanted = [...runc.keys()].filter(name => !name.startsWith('.data.cpuset'))
    expect(wanted.filter(name => !ours.has(name))).toEqual([])
    for (const name of ['.type', '.id', '.data.memory.usage.limit', '.data.pids.limit', '.data.pids.current'])
      expect([name, ours.get(name)]).toEqual([name, runc.get(name)])
    expect(ours.get('.data.memory.usage.usage')).toBeGreaterThan(0)
    expect(ours.get('.data.cpu.usage.total')).toBeGreaterThan(0)
    expect(bench.oci('events', '--stats', 'stats').stderr).toMatch(/container does not exist/)
  })

  test('a filter without the calls of Linux 5.9 and later, as engines had until 2020: run and exec', () => {
    const old = bench.bundle(['sleep', '100'], ({ linux }) => {
      const names = ['close_range', 'openat2', 'clone3']
      const syscalls = [{ names, action: 'SCMP_ACT_KILL_PROCESS' as const }]
      linux.seccomp = { defaultAction: 'SCMP_ACT_ALLOW', syscalls }
    })
    expect(bench.start(OURS, 'old', old)).toBe(0)
    const look = 'ls /proc/1/fd; ls /proc/$$/fd; grep Seccomp: /proc/$$/status'
    const stdout = '0\n1\n2\n0\n1\n2\nSeccomp:\t2\n'
    expect(bench.oci('exec', 'old', 'sh', '-c', look)).toEqual({ status: 0, stdout, stderr: '' })
    expect(bench.oci('delete', '--force', 'old').status).toBe(0)
  })

  // config-linux.md, "Rootfs Mount Propagation"; as with crun
  test.each([
    ['shared', /shared:\d+ $/],
    ['slave', /master:\d+ $|^$/], // the host's mount need not be shared
    ['private', /^$/],
    ['unbindable', /unbindable $/],
  ])('the propagation of a root that is %s', (propagation, tags) => {
    const path = bench.bundle(
      ['sed', '-n', String.raw`s|^[^ ]* [^ ]* [^ ]* [^ ]* / [^ ]* \(.*\)- .*|\1|p`, '/proc/self/mountinfo'],
      ({ linux }) => {
        linux.rootfsPropagation = propagation
      },
    )
    const { status, stdout, stderr } = bench.oci('run', '--bundle', path, 'propagation')
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout.replace('\n', '')).toMatch(tags)
  })

  // as runc since 1.1.12
  test('exec enters no working directory through a descriptor of its caller, as root either', () => {
    bench.start(OURS, 'cwd', bench.bundle(['sleep', '1000']))
    const stdin = openSync('/tmp', 'r')
    try {
      for (const at of ['/proc/self/fd/0', '/proc/self/fd/0/..', '/dev/fd/0', '/proc/self/root/tmp'])
        expect(bench.call(OURS, ['exec', '--cwd', at, 'cwd', 'ls'], stdin)).toEqual({
          status: 255,
          stdout: '',
          stderr: expect.stringContaining('set in config.json failed: too many') as string,
        })
    } finally {
      closeSync(stdin)
      bench.oci('delete', '--force', 'cwd')
    }
  })

  test.each(['prestart', 'createRuntime', 'createContainer'])(
    'the process of a %s hook ends when create is killed',
    async kind => {
      const pipe = join(bench.folder, `hook-${kind}`)
      spawnSync('mkfifo', [pipe])
      const path = bench.bundle(['true'], config => {
        const script = `exec 5>${pipe}; echo >&5; exec sleep 1000`
        config.hooks = { [kind]: [{ path: '/bin/sh', args: ['sh', '-c', script], env: ['PATH=/bin'] }] }
      })
      const reader = spawn('cat', [pipe], { stdio: ['ignore', 'pipe', 'ignore'] }) // until the hook has ended
      const end = once(reader, 'exit')
      const words = ['--root', bench.root(OURS), 'create', '--bundle', path, 'hook']
      const create = spawn(OURS, words, { stdio: 'ignore' })
      await once(reader.stdout, 'data')
      create.kill('SIGKILL')
      await end
      bench.oci('delete', '--force', 'hook')
    },
  )
})
