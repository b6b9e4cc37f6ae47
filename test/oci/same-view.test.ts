// Each configuration is a small change of `runc spec`'s. Run by runc and by minilab-oci, it must look the same from inside, field by field;
// differences.ts lists what may differ, and why. A difference that is not listed fails, and so does one that is listed and never occurs.
import { chmodSync, mkdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { MountSpec } from '../../lib/container/spec.ts'
import { CLONE_NEWNET } from '../../lib/kernel/syscalls/constants.ts'
import { now } from '../../lib/kernel/syscalls/now.ts'
import { Bench, type Config, type Unfit } from './bench.ts'
import { DIFFERENCES } from './differences.ts'
import { lacking } from './engines.ts'
import { fieldsOf, PROBE } from './view.ts'

type Change = (config: Config & Unfit) => void

const lacks = lacking('runc')
describe.skipIf(lacks)(`the view from inside${lacks}`, () => {
  let bench: Bench
  beforeAll(() => {
    now.unshare(CLONE_NEWNET) // else "the host's" network has what other tests make between the two runs
    bench = new Bench()
    chmodSync(bench.folder, 0o711) // root of a user namespace must reach the root file system
    const at = (path: string) => join(bench.rootfs, path)
    for (const name of ['real', 'folder', 'mnt', 'some/where']) mkdirSync(at(name), { recursive: true })
    writeFileSync(at('real/file'), 'secret\n')
    writeFileSync(at('folder/file'), 'secret\n')
    symlinkSync('/real/file', at('link'))
    symlinkSync('/mnt', at('linked'))
    const lent = join(bench.folder, 'lent')
    mkdirSync(join(lent, 'below'), { recursive: true })
    writeFileSync(join(lent, 'file'), 'lent\n')
  })
  afterAll(() => bench[Symbol.dispose]())

  const mount =
    (destination: string, rest: Partial<MountSpec> & { lent?: string }): Change =>
    ({ mounts }) => {
      const { lent, ...spec } = rest
      mounts.push({
        destination,
        ...(lent !== undefined && { source: join(bench.folder, 'lent', lent) }),
        ...spec,
      })
    }
  const without =
    (...types: string[]): Change =>
    ({ linux }) =>
      (linux.namespaces = linux.namespaces.filter(({ type }) => !types.includes(type)))
  const user =
    (size: number, hostID = 100_000): Change =>
    config => {
      config.linux.namespaces.push({ type: 'user' })
      config.linux.uidMappings = config.linux.gidMappings = [{ containerID: 0, hostID, size }]
    }
  const resources =
    (value: Unfit): Change =>
    ({ linux }) =>
      (linux.resources = { ...linux.resources, ...value })
  const writable: Change = ({ root }) => (root.readonly = false)
  const all =
    (...changes: Change[]): Change =>
    config =>
      changes.forEach(change => change(config))

  const CASES: [name: string, change: Change][] = [
    ['as runc spec writes it', () => {}],
    ['a writable root', writable],
    ['another user', ({ process }) => (process.user = { uid: 1000, gid: 1000 })],
    [
      'groups and umask',
      ({ process }) => (process.user = { uid: 1, gid: 2, umask: 0o77, additionalGids: [3, 2000] }),
    ],
    [
      'environment and directory',
      ({ process }) =>
        Object.assign(process, { cwd: '/some/where', env: ['A=b', 'PATH=/bin', 'EMPTY=', 'HOME=/x'] }),
    ],
    ['a directory that is not there', all(writable, ({ process }) => (process.cwd = '/new/one'))],
    ['no environment but PATH', ({ process }) => (process.env = ['PATH=/bin'])],
    [
      'no capabilities',
      ({ process }) => (process.capabilities = { bounding: [], effective: [], permitted: [] }),
    ],
    [
      'all five sets of capabilities',
      ({ process }) =>
        (process.capabilities = {
          bounding: ['CAP_CHOWN', 'CAP_NET_RAW', 'CAP_KILL'],
          effective: ['CAP_CHOWN'],
          permitted: ['CAP_CHOWN', 'CAP_NET_RAW'],
          inheritable: ['CAP_NET_RAW'],
          ambient: ['CAP_NET_RAW'],
        }),
    ],
    [
      'ambient capabilities of another user',
      ({ process }) => {
        const sets = ['CAP_NET_BIND_SERVICE', 'CAP_KILL']
        process.user = { uid: 1000, gid: 1000 }
        process.capabilities = {
          bounding: sets,
          effective: sets,
          permitted: sets,
          inheritable: sets,
          ambient: sets,
        }
      },
    ],
    ['new privileges', ({ process }) => (process.noNewPrivileges = false)],
    [
      'limits of the process',
      ({ process }) =>
        (process.rlimits = [
          ['NOFILE', 100, 200],
          ['CORE', 0, 0],
          ['NPROC', 1000, 1000],
          ['STACK', 1 << 20, 1 << 22],
        ].map(([type, soft, hard]) => ({ type: `RLIMIT_${type}`, soft: Number(soft), hard: Number(hard) }))),
    ],
    ['oom_score_adj', ({ process }) => (process.oomScoreAdj = 321)],
    [
      'host and domain name',
      config => Object.assign(config, { hostname: 'other', domainname: 'example.org' }),
    ],
    ['the network of the host', without('network')],
    ['the host name of the host', all(without('uts'), config => delete config.hostname)],
    ['the ipc of the host', without('ipc')],
    ['no cgroup namespace', without('cgroup')],
    [
      'a joined network namespace',
      ({ linux }) => linux.namespaces.forEach(ns => ns.type === 'network' && (ns.path = '/proc/self/ns/net')),
    ],
    ['a user namespace', user(65536)],
    [
      'a user namespace, another user',
      all(user(65536), ({ process }) => (process.user = { uid: 1000, gid: 1000, additionalGids: [2000] })),
    ],
    [
      'sysctl',
      ({ linux }) =>
        (linux.sysctl = { 'net.ipv4.ip_forward': '1', 'kernel.shmmax': '65536', 'fs.mqueue.msg_max': '12' }),
    ],
    [
      'no masked and no read-only paths',
      ({ linux }) => Object.assign(linux, { maskedPaths: [], readonlyPaths: [] }),
    ],
    [
      'masked paths of the image',
      ({ linux }) => (linux.maskedPaths = ['/link', '/folder', '/no/such', '/proc/keys']),
    ],
    [
      'read-only paths of the image',
      all(writable, ({ linux }) => (linux.readonlyPaths = ['/folder', '/proc/sys', '/bin'])),
    ],
    [
      'devices',
      ({ linux }) =>
        (linux.devices = [
          { type: 'c', path: '/dev/fuse', major: 10, minor: 229, fileMode: 0o640, uid: 1, gid: 2 },
          { type: 'b', path: '/dev/deep/er/loop', major: 7, minor: 0 },
          { type: 'p', path: '/dev/pipe', fileMode: 0o600 },
        ]),
    ],
    [
      'device rules',
      resources({
        devices: [
          { allow: false, access: 'rwm' },
          { allow: true, type: 'c', major: 1, minor: 1, access: 'r' },
        ],
      }),
    ],
    ['a volume', mount('/mnt', { lent: '', options: ['bind'] })],
    [
      'a volume, read-only and more',
      mount('/mnt', { lent: '', options: ['rbind', 'ro', 'nosuid', 'nodev', 'noexec', 'rprivate'] }),
    ],
    ['a volume, recursively read-only', mount('/mnt', { lent: '', options: ['rbind', 'rro'] })],
    ['a volume at a link', mount('/linked', { lent: '', options: ['rbind', 'rslave'] })],
    ['a file as a volume', mount('/etc/passwd', { lent: 'file', options: ['bind', 'ro'] })],
    [
      'a volume at a place that is not there',
      all(writable, mount('/made/here', { lent: 'below', options: ['bind'] })),
    ],
    [
      'a tmpfs',
      mount('/mnt', {
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'nodev', 'noexec', 'noatime', 'size=1m', 'mode=700'],
      }),
    ],
    ['a tmpfs without a mode', mount('/mnt', { type: 'tmpfs', source: 'tmpfs', options: ['size=1m'] })],
    [
      'a tmpfs at a place that is not there',
      all(writable, mount('/made/tmp', { type: 'tmpfs', source: 'tmpfs' })),
    ],
    [
      'a tmpfs with what the image has',
      mount('/folder', { type: 'tmpfs', source: 'tmpfs', options: ['tmpcopyup', 'size=1m'] }),
    ],
    ['a volume in /dev', mount('/dev/lent', { lent: 'file', options: ['bind'] })],
    ['a shared root', ({ linux }) => (linux.rootfsPropagation = 'shared')],
    ['a private root', ({ linux }) => (linux.rootfsPropagation = 'private')],
    ['a slave root', ({ linux }) => (linux.rootfsPropagation = 'rslave')],
    [
      'memory',
      resources({ memory: { limit: 64 << 20, reservation: 32 << 20, swap: 64 << 20, swappiness: 10 } }),
    ],
    ['no OOM killer', resources({ memory: { limit: 64 << 20, disableOOMKiller: true } })],
    ['CPU', resources({ cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: '0', mems: '0' } })],
    ['processes', resources({ pids: { limit: 50 } })],
    [
      'seccomp',
      ({ linux }) =>
        (linux.seccomp = {
          defaultAction: 'SCMP_ACT_ALLOW',
          architectures: ['SCMP_ARCH_X86_64'],
          syscalls: [{ names: ['unshare'], action: 'SCMP_ACT_ERRNO', errnoRet: 5 }],
        }),
    ],
    [
      'seccomp, with new privileges',
      all(
        ({ process }) => (process.noNewPrivileges = false),
        ({ linux }) =>
          (linux.seccomp = {
            defaultAction: 'SCMP_ACT_ALLOW',
            syscalls: [{ names: ['mount'], action: 'SCMP_ACT_ERRNO' }],
          }),
      ),
    ],
    ['annotations', config => (config.annotations = { 'org.example': 'x' })],
    [
      'fields that no version knows',
      config => Object.assign(config, { unheardOf: 1, linux: { ...config.linux, unheardOf: {} } }),
    ],
  ]

  const host = new Map(
    ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'].map(kind => [
      `namespaces ${kind}`,
      readlinkSync(`/proc/self/ns/${kind}`),
    ]),
  )
  /** Whether a namespace is that of the host is a fact; which one it is otherwise, is not. */
  const stable = (fields: Map<string, string>) => {
    for (const [name, inode] of host) fields.set(name, fields.get(name) === inode ? 'of the host' : 'its own')
    return fields
  }

  const occurred = new Set<(typeof DIFFERENCES)[number]>()
  test.each(CASES)('%s', (name, change) => {
    const [runc, ours] = bench.both(['sh', '-c', PROBE], change)
    expect({ stderr: ours.stderr, status: ours.status }).toEqual({ stderr: runc.stderr, status: runc.status })
    const [theirs, own] = [stable(fieldsOf(runc.stdout)), stable(fieldsOf(ours.stdout))]
    expect(own.size).toBeGreaterThan(80)
    const unlisted = [...new Set([...theirs.keys(), ...own.keys()])].flatMap(field => {
      const [a, b] = [theirs.get(field) ?? '(none)', own.get(field) ?? '(none)']
      if (a === b) return []
      const listed = DIFFERENCES.filter(
        difference =>
          difference.field.test(field) &&
          difference.runc.test(a) &&
          difference.ours.test(b) &&
          (difference.only?.includes(name) ?? true),
      )
      listed.forEach(difference => occurred.add(difference))
      return listed.length ? [] : [`${field}\n  runc: ${a}\n  ours: ${b}`]
    })
    expect(unlisted).toEqual([])
  })

  test('each difference that is listed occurs', () =>
    expect(DIFFERENCES.filter(difference => !occurred.has(difference)).map(({ why }) => why)).toEqual([]))
})
