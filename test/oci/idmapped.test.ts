// Mounts with mapped ids: what the container sees of a file on the host, and what the host sees of one that the container makes.
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { MountSpec } from '../../lib/container/spec.ts'
import { mountinfo } from '../../lib/kernel/mount/mountinfo.ts'
import { Bench, type Config } from './bench.ts'
import { lacking, OURS } from './engines.ts'

/** The files of the host belong to 5:6, which the mount shows as 105:206. */
const MAPS = {
  uidMappings: [{ containerID: 0, hostID: 100, size: 50 }],
  gidMappings: [{ containerID: 0, hostID: 200, size: 50 }],
}
/** The container's root is 100000 on the host. */
const USER = ({ linux }: Config) => {
  linux.namespaces.push({ type: 'user' })
  linux.uidMappings = linux.gidMappings = [{ containerID: 0, hostID: 100_000, size: 1000 }]
}

const lacks = lacking('runc')
describe.skipIf(lacks)(`mounts with mapped ids${lacks}`, () => {
  let bench: Bench
  let source: string
  beforeAll(() => {
    bench = new Bench()
    chmodSync(bench.folder, 0o711) // root of a user namespace must reach it
    mkdirSync(join(bench.rootfs, 'lent'))
    source = join(bench.folder, 'source')
    mkdirSync(join(source, 'below'), { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=777', 'none', join(source, 'below')])
    for (const name of ['given', 'below/given']) {
      writeFileSync(join(source, name), '')
      chownSync(join(source, name), 5, 6)
    }
  })
  beforeEach(() => rmSync(join(source, 'made'), { force: true }))
  afterAll(() => {
    execFileSync('umount', [join(source, 'below')])
    bench[Symbol.dispose]()
  })

  const run = (script: string, mount: Partial<MountSpec>, change: (config: Config) => void = () => {}) =>
    bench.oci(
      'run',
      '--bundle',
      bench.bundle(['sh', '-c', script], config => {
        config.mounts.push({ destination: '/lent', source, type: 'bind', ...mount })
        change(config)
      }),
      'x',
    )
  const ownerOf = (name: string) => {
    const { uid, gid } = statSync(join(source, name))
    return `${uid}:${gid}`
  }
  const LOOK = 'cd /lent; stat -c %u:%g given below/given'
  /** A program of this user makes a file. */
  const MAKE = `touch /lent/made; ${LOOK} made`
  const as = (uid: number, gid: number) => (config: Config) => void (config.process.user = { uid, gid })

  // the control for all that follow
  test('without a map, the owners are those of the host', () => {
    expect(run(LOOK, { options: ['rbind'] }).stdout).toBe('5:6\n5:6\n')
    expect(run(LOOK, { options: ['rbind'] }, USER).stdout).toBe('65534:65534\n65534:65534\n')
  })

  test('own maps, of the mount alone or of those below it too', () => {
    const rbind = (option: string[]) => run(LOOK, { options: ['rbind', ...option], ...MAPS }).stdout
    expect(rbind([])).toBe('105:206\n5:6\n')
    expect(rbind(['idmap'])).toBe('105:206\n5:6\n')
    expect(rbind(['ridmap'])).toBe('105:206\n105:206\n')
    expect(ownerOf('given')).toBe('5:6')
  })

  test('a file made inside has on the host the id that the map leads back to', () => {
    chmodSync(source, 0o777)
    const { stdout, stderr } = run(MAKE, { options: ['rbind', 'idmap'], ...MAPS }, as(107, 208))
    expect(stdout, stderr).toBe('105:206\n5:6\n107:208\n')
    expect(ownerOf('made')).toBe('7:8')
    // an id outside the map cannot own a file there: EOVERFLOW
    expect(run('touch /lent/other 2>&1', { options: ['rbind', 'idmap'], ...MAPS }, as(1, 1)).stdout).toMatch(
      /Value too large/,
    )
    expect(existsSync(join(source, 'other'))).toBe(false)
  })

  test('idmap alone takes the map of the user namespace', () => {
    const { stdout, stderr } = run(MAKE, { options: ['rbind', 'ridmap'] }, USER)
    expect(stdout, stderr).toBe('5:6\n5:6\n0:0\n')
    expect(ownerOf('made')).toBe('0:0')
  })

  test('idmap alone takes the map of a joined user namespace', () => {
    expect(bench.start(OURS, 'holder', bench.bundle(['sleep', '1000'], USER))).toBe(0)
    const { pid } = JSON.parse(bench.oci('state', 'holder').stdout) as { pid: number }
    const join = ({ linux }: Config) =>
      void linux.namespaces.push({ type: 'user', path: `/proc/${pid}/ns/user` })
    expect(run(LOOK, { options: ['rbind'] }, join).stdout).toBe('65534:65534\n65534:65534\n')
    const { stdout, stderr } = run(LOOK, { options: ['rbind', 'idmap'] }, join)
    expect(stdout, stderr).toBe('5:6\n65534:65534\n')
    expect(bench.oci('delete', '--force', 'holder').status).toBe(0)
  })

  test('a mount has its own map in a user namespace', () => {
    const { stdout, stderr } = run(
      LOOK,
      {
        options: ['rbind', 'idmap', 'ro'],
        uidMappings: [{ containerID: 5, hostID: 100_007, size: 1 }],
        gidMappings: [{ containerID: 6, hostID: 100_008, size: 1 }],
      },
      USER,
    )
    expect(stdout.split('\n')[0], stderr).toBe('7:8')
  })

  test('what the host mounts read-only stays so for root of a user namespace', () => {
    const [open = '', closed = ''] = ['open', 'closed'].map(name => join(bench.folder, name))
    mkdirSync(open)
    mkdirSync(closed)
    execFileSync('mount', ['--bind', open, closed])
    try {
      execFileSync('mount', ['-o', 'remount,bind,ro', closed])
      const able = (config: Config) => {
        USER(config)
        for (const set of ['bounding', 'effective', 'permitted'] as const)
          config.process.capabilities?.[set]?.push('CAP_SYS_ADMIN')
      }
      const script = 'mount -o remount,bind,rw /lent && touch /lent/made'
      expect(run(script, { source: closed, options: ['bind', 'idmap'] }, able).status).not.toBe(0)
      expect(readdirSync(open)).toEqual([])
      // the control: it has the right to remount, and to make the file, where the host has locked nothing
      const { status, stderr } = run(script, { source: open, options: ['bind', 'idmap'] }, able)
      expect(status, stderr).toBe(0)
      expect(readdirSync(open)).toEqual(['made'])
    } finally {
      execFileSync('umount', [closed])
    }
  })

  const ownMounts = () =>
    mountinfo()
      .map(({ target }) => target)
      .filter(target => target.startsWith(bench.folder))

  const REFUSED: [
    what: string,
    mount: Partial<MountSpec>,
    change: (config: Config) => void,
    words: RegExp,
  ][] = [
    [
      'no bind mount',
      { type: 'tmpfs', source: 'none', options: [], ...MAPS },
      () => {},
      /it is no bind mount/,
    ],
    [
      'one map of two',
      { options: ['bind', 'idmap'], uidMappings: MAPS.uidMappings },
      () => {},
      /needs both uidMappings and gidMappings/,
    ],
    ['no map at all', { options: ['bind', 'idmap'] }, () => {}, /no map, and no user namespace/],
    ["crun's option", { options: ['bind', 'idmap=uids=0-1-1'] }, () => {}, /an option of crun only/],
    [
      'an overlapping map',
      { options: ['bind'], ...MAPS, uidMappings: [...MAPS.uidMappings, ...MAPS.uidMappings] },
      () => {},
      /the kernel refuses this map \(EINVAL\)/,
    ],
    [
      'a file system without support',
      { source: '/proc/sys', options: ['bind'], ...MAPS },
      () => {},
      /\(EINVAL\): the file system of \/proc\/sys, proc, does not support mapped ids/,
    ],
  ]
  test('without CAP_SYS_ADMIN over the file system it is refused by name', () => {
    const path = bench.bundle(['echo', 'started'], config => {
      USER(config)
      config.linux.uidMappings = config.linux.gidMappings = [{ containerID: 0, hostID: 0, size: 1 }]
      config.linux.cgroupsPath = ''
      config.linux.resources = {}
      config.mounts = config.mounts.filter(({ type }) => !['cgroup', 'devpts', 'sysfs'].includes(type ?? ''))
      config.mounts.push({ destination: '/lent', source, type: 'bind', options: ['rbind', 'idmap'] })
    })
    const args = ['--root', join(bench.folder, 'inner'), 'run', '--bundle', path, 'x']
    const { status, stdout, stderr } = spawnSync('unshare', ['-Ur', OURS, ...args], { encoding: 'utf8' })
    expect([status, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(
      /^[^\n]*\/lent cannot have mapped ids \(EPERM\): [^\n]* we lack CAP_SYS_ADMIN [^\n]*\n$/,
    )
    expect(readdirSync(join(bench.folder, 'inner'))).toEqual([])
  })

  test.each(REFUSED)('%s is refused by name', (_what, mount, change, words) => {
    const before = ownMounts()
    const { status, stdout, stderr } = run('echo started', mount, change)
    expect([status, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/\/lent/)
    expect(stderr).toMatch(words)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(readdirSync(bench.root(OURS))).not.toContain('x')
    expect(ownMounts()).toEqual(before)
  })
})
