// What the validation programs of opencontainers/runtime-tools ask of a runtime: runtime.md, config.md, config-linux.md.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { certain } from '../../lib/common/certain.ts'
import { until } from '../../lib/common/until.ts'
import { hierarchyOf } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { Bench, type Config, type Unfit } from './bench.ts'
import { lacking, OURS } from './engines.ts'

const lacks = lacking('runc')
describe.skipIf(lacks)(`the life of a container${lacks}`, () => {
  let bench: Bench
  beforeAll(() => void (bench = new Bench()))
  afterAll(() => bench[Symbol.dispose]())

  /** `create`, whose stdout and stderr are the container's: no pipes, which it would keep open. */
  const create = (runtime: string, id: string, path: string, ...more: string[]) =>
    spawnSync(
      runtime,
      ['--root', bench.root(runtime), '--log', join(path, 'log'), 'create', '--bundle', path, ...more, id],
      { stdio: 'ignore' },
    ).status
  const state = (id: string) =>
    JSON.parse(bench.oci('state', id).stdout) as { status: string; pid: number; bundle: string }
  const stopped = (id: string) => until(() => state(id).status === 'stopped', 20_000)

  test('start runs the program once: of a container that runs, or has stopped, it is refused and has no effect', async () => {
    const path = bench.bundle(['sh', '-c', 'echo called >>/output'], ({ root }) => (root.readonly = false))
    const output = join(bench.rootfs, 'output')
    expect(create(OURS, 'once', path)).toBe(0)
    expect(existsSync(output)).toBe(false)
    expect(bench.oci('start', 'once').status).toBe(0)
    await stopped('once')
    expect(bench.oci('start', 'once')).toMatchObject({ status: 1, stdout: '' })
    expect(readFileSync(output, 'utf8')).toBe('called\n')
    rmSync(output)
    expect(bench.oci('delete', 'once').status).toBe(0)
  })

  test('kill ends what is created or runs; of what has stopped it is refused', async () => {
    const path = bench.bundle(['sleep', '1000'])
    for (const before of ['created', 'running']) {
      expect(create(OURS, 'k', path, '--pid-file', join(path, 'pid'))).toBe(0)
      if (before === 'running') bench.oci('start', 'k')
      expect(state('k')).toMatchObject({
        status: before,
        pid: Number(readFileSync(join(path, 'pid'), 'utf8')),
      })
      expect(bench.oci('kill', 'k', 'KILL').status).toBe(0)
      await stopped('k')
      expect(bench.oci('kill', 'k', 'KILL')).toMatchObject({ status: 1, stdout: '' })
      expect(bench.oci('delete', 'k').status).toBe(0)
    }
    expect(bench.oci('kill', 'k').stderr).toMatch(/container does not exist/)
    expect(bench.oci('kill').status).toBe(1)
  })

  test('delete of what runs is refused, and has no effect', () => {
    expect(bench.start(OURS, 'd', bench.bundle(['sleep', '1000']))).toBe(0)
    expect(bench.oci('delete', 'd')).toMatchObject({ status: 1, stdout: '' })
    expect(state('d').status).toBe('running')
    expect(bench.oci('delete', '--force', 'd').status).toBe(0)
    expect(bench.oci('state', 'd').stderr).toMatch(/container does not exist/)
  })

  test('what no version knows is ignored; what no kernel interface takes is refused', () => {
    const unknown = bench.bundle(['echo', 'hi'], config => {
      config.unheardOf = 'x'
      config.annotations = { 'org.unheard.of': '' }
    })
    expect(bench.oci('run', '--bundle', unknown, 'u')).toEqual({ status: 0, stdout: 'hi\n', stderr: '' })
    type Refused = [change: (config: Config & Unfit) => void, says: string]
    const refused: Refused[] = [
      [({ process }) => process.capabilities?.bounding?.push('CAP_TEST'), 'CAP_TEST'], // runc 1.1 and crun 1.8 ignore it
      [({ process }) => process.rlimits?.push({ type: 'RLIMIT_TEST', soft: 1, hard: 1 }), 'RLIMIT_TEST'],
      [config => (config.ociVersion = 'invalid'), 'invalid'],
      [
        ({ linux }) => (linux.resources = { hugepageLimits: [{ pageSize: '3MB', limit: 3 << 20 }] }),
        'hugetlb',
      ],
      ...(hierarchyOf('rdma')
        ? []
        : [
            [
              ({ linux }: Config) => (linux.resources = { rdma: { mlx5_1: { hcaHandles: 3 } } }),
              'no mounted cgroup hierarchy has the rdma controller',
            ] as Refused,
          ]),
    ]
    for (const [change, says] of refused) {
      const { status, stdout, stderr } = bench.oci('run', '--bundle', bench.bundle(['true'], change), 'u')
      expect([status, stdout]).toEqual([1, ''])
      expect(stderr).toContain(says)
    }
  })

  test.skipIf(hierarchyOf('rdma'))('an update that its cgroup cannot limit is refused', () => {
    expect(bench.start(OURS, 'limited', bench.bundle(['sleep', '1000']))).toBe(0)
    const limits = join(bench.folder, 'limits.json')
    writeFileSync(limits, JSON.stringify({ rdma: { mlx5_1: { hcaHandles: 3 } } }))
    const { status, stderr } = bench.oci('update', '--resources', limits, 'limited')
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/has no rdma controller/) })
    expect(bench.oci('delete', '--force', 'limited').status).toBe(0)
  })

  test('hooks get the state: created until the program runs, then running, then stopped', () => {
    const said = (kind: string) => join(bench.folder, `state-of-${kind}`)
    const kinds = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop']
    const path = bench.bundle(['sleep', '1000'], config => {
      config.annotations = { 'org.example': 'x' }
      config.root.readonly = false
      config.hooks = Object.fromEntries(
        kinds.map(kind => [
          kind,
          [
            {
              path: '/bin/sh',
              args: ['sh', '-c', `cat >${kind === 'startContainer' ? '/said' : said(kind)}`],
              env: ['PATH=/bin'],
            },
          ],
        ]),
      )
    })
    expect(create(OURS, 'hooked', path)).toBe(0)
    const { pid } = state('hooked')
    expect(bench.oci('start', 'hooked').status).toBe(0)
    expect(bench.oci('delete', '--force', 'hooked').status).toBe(0)
    const statuses = kinds.map(kind => {
      const file = kind === 'startContainer' ? join(bench.rootfs, 'said') : said(kind)
      const text = JSON.parse(readFileSync(file, 'utf8')) as Unfit
      expect(text).toMatchObject({ id: 'hooked', bundle: path, annotations: { 'org.example': 'x' } })
      if (kind !== 'poststop') expect(text.pid).toBe(pid)
      return text.status as string
    })
    // runtime.md, "State": a container is "created" after step 2 of its lifecycle, and the first hooks are steps 3 to 5. So crun 1.8 says;
    // runc 1.1 says "creating"
    expect(statuses).toEqual(['created', 'created', 'created', 'created', 'running', 'stopped'])
  })

  test('as runc: mounts are listed in the order of config.json, volumes too', () => {
    const [runc, ours] = bench.both(
      ['sh', '-c', "cut -d' ' -f 5 /proc/self/mountinfo | grep ^/tmp/"],
      ({ mounts }) => {
        mounts.push({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs' })
        for (const [i, name] of ['a', 'b', 'c', 'd', 'e'].entries())
          mounts.push(
            i % 2
              ? { destination: `/tmp/${name}`, source: '/etc', options: ['bind', 'ro'] }
              : { destination: `/tmp/${name}`, type: 'tmpfs', source: 'tmpfs' },
          )
      },
    )
    expect(ours.stdout).toBe('/tmp/a\n/tmp/b\n/tmp/c\n/tmp/d\n/tmp/e\n')
    expect(runc.stdout).toBe(ours.stdout)
  })

  // config-linux.md: "If a namespace type is not specified in the namespaces array, the container MUST inherit the runtime namespace"
  test('without any namespace it has those of the runtime, and delete takes its mounts back', () => {
    const lent = join(bench.folder, 'lent')
    mkdirSync(lent)
    writeFileSync(join(lent, 'file'), 'kept\n')
    const path = bench.bundle(['sleep', '1000'], config => {
      config.linux.namespaces = []
      delete config.hostname
      config.mounts.push({ destination: '/tmp/lent', source: lent, options: ['rbind'] })
    })
    const look = `ls /; ls -l /proc/self/ns | sed 's/.*-> //'; cat /tmp/lent/file; pwd; cut -d' ' -f 5 /proc/self/mountinfo | sort`
    const script = `
      run() { timeout 60 "$RUNTIME" --root "$STATE" "$@"; }
      cut -d' ' -f 5 /proc/self/mountinfo | sort >${path}/before
      run create --bundle ${path} bare </dev/null >${path}/said 2>&1 || cat ${path}/said
      run start bare
      run exec bare sh -c "${look}"
      run exec bare touch /x
      run delete --force bare
      # not the same list: when another test removes a folder, what is mounted on it goes in every mount namespace
      added=$(cut -d' ' -f 5 /proc/self/mountinfo | sort | comm -13 ${path}/before -)
      [ -z "$added" ] && echo nothing left; ls -l /proc/self/ns | sed 's/.*-> //'`
    const { stdout, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', script], {
      encoding: 'utf8',
      timeout: 120_000,
      env: { ...process.env, RUNTIME: OURS, STATE: bench.root(OURS) },
    })
    const [view = '', outside = ''] = stdout.split('nothing left\n')
    expect(stderr).toBe('touch: /x: Read-only file system\n')
    expect(view).toContain('kept\n/\n/\n/dev\n') // its directory; then its own mounts, and no others
    expect(view).not.toContain(bench.folder)
    expect(outside).toContain('mnt:[')
    expect(view).toContain(outside)
    expect(readdirSync(bench.root(OURS))).toEqual([])
    expect(readFileSync(join(lent, 'file'), 'utf8')).toBe('kept\n')
    expect(readdirSync(join(bench.rootfs, 'proc'))).toEqual([])
  })

  test('limits are set in the cgroup of a relative path, in each hierarchy that has the controller', () => {
    const file = (controller: string, pid: number, v1: string, v2: string) => {
      const { mount, version, controllers } = certain(hierarchyOf(controller))
      const [, own = ''] =
        readFileSync(`/proc/${pid}/cgroup`, 'utf8')
          .split('\n')
          .map(line => /^\d+:([^:]*):(.*)$/.exec(line)?.slice(1) ?? [])
          .find(([names]) => names === (version === 2 ? '' : controllers.join(','))) ?? []
      return readFileSync(join(mount, own, version === 1 ? v1 : v2), 'utf8').trim()
    }
    const size =
      readdirSync('/sys/kernel/mm/hugepages').includes('hugepages-2048kB') && hierarchyOf('hugetlb')
    const relative = (hugepageLimits: { pageSize: string; limit: number }[]) =>
      bench.bundle(['sleep', '1000'], ({ linux }) => {
        linux.cgroupsPath = `${bench.parent}/relative`
        linux.resources = {
          memory: { limit: 50 << 20, swap: 50 << 20 },
          cpu: { shares: 1024, quota: 50_000, period: 100_000 },
          pids: { limit: 100 },
          hugepageLimits,
        }
      })
    const limits = (runtime: string, path: string) => {
      expect(create(runtime, 'limited', path)).toBe(0)
      const { pid } = JSON.parse(bench.call(runtime, ['state', 'limited']).stdout) as { pid: number }
      expect(readFileSync(`/proc/${pid}/cgroup`, 'utf8')).toContain(`/${bench.parent}/relative\n`)
      const found = [
        file('memory', pid, 'memory.limit_in_bytes', 'memory.max'),
        file('cpu', pid, 'cpu.cfs_quota_us', 'cpu.max'),
        file('pids', pid, 'pids.max', 'pids.max'),
      ]
      // on a machine with both versions runc and crun look for it in v1 only
      if (runtime === OURS && size)
        expect(file('hugetlb', pid, 'hugetlb.2MB.limit_in_bytes', 'hugetlb.2MB.max')).toBe(String(4 << 20))
      expect(bench.call(runtime, ['delete', '--force', 'limited']).status).toBe(0)
      return found
    }
    const ours = limits(OURS, relative(size ? [{ pageSize: '2MB', limit: 4 << 20 }] : []))
    expect(ours[0]).toBe(String(50 << 20))
    expect(ours[2]).toBe('100')
    expect(limits('runc', relative([]))).toEqual(ours)
  })
})
