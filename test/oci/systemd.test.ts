// `--systemd-cgroup` against a real systemd, which is process 1 of its own namespaces: the same commands by runc and by ours.
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MinilabError } from '../../lib/common/errors.ts'
import { unitOf } from '../../lib/oci/systemd/unit.ts'
import { devicePolicy } from '../../lib/oci/systemd/device-properties.ts'
import { propertiesFor, propertiesOf } from '../../lib/oci/systemd/properties.ts'
import { Bench, type Config, type Unfit } from './bench.ts'
import { lacking, OURS } from './engines.ts'
import { layouts, Machine } from './systemd-machine.ts'

describe('names and properties', () => {
  test.each([
    ['a-b.slice:p:n', 'p-n.scope', 'a-b.slice', '/a.slice/a-b.slice/p-n.scope'],
    [':p:n', 'p-n.scope', 'system.slice', '/system.slice/p-n.scope'],
    ['-.slice:p:n', 'p-n.scope', '-.slice', '/p-n.scope'],
    [undefined, 'minilab-id.scope', 'system.slice', '/system.slice/minilab-id.scope'],
  ])('cgroupsPath %s', (path, name, slice, whole) =>
    expect(unitOf(path, 'id')).toMatchObject({ name, slice, path: whole }),
  )

  test.each([
    [
      '/a/b',
      /expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "\/a\/b" instead/,
    ],
    ['a:b', /expected cgroupsPath/],
    ['a--b.slice:p:n', /invalid slice name: a--b.slice/],
    ['a:p:n', /invalid slice name: a$/],
    ['../x.slice:p:n', /invalid slice name/],
    [':p:../n', /invalid unit name/],
    [':p:n.slice', /names a slice/],
  ])('cgroupsPath %s is refused', (path, why) => expect(() => unitOf(path, 'id')).toThrow(why))

  test('limits of v2', () =>
    expect(
      propertiesFor(
        {
          memory: { limit: 1000, swap: 3000, reservation: -1 },
          cpu: { shares: 1024, quota: 15555, cpus: '0-1,9' },
          unified: { 'pids.max': '7', 'memory.oom.group': '1' },
        },
        2,
      ),
    ).toEqual([
      ['MemoryMax', 't', '1000'],
      ['MemoryLow', 't', String(2n ** 64n - 1n)],
      ['MemorySwapMax', 't', '2000'],
      ['CPUWeight', 't', '100'],
      ['CPUQuotaPerSecUSec', 't', '160000'],
      ['AllowedCPUs', 'ay', '2', '3', '2'],
      ['TasksMax', 't', '7'],
    ]))

  test('annotations', () => {
    const of = (name: string, text: string) =>
      propertiesOf({ [`org.systemd.property.${name}`]: text, other: 'x' })
    expect(of('TimeoutStopUSec', 'uint64 5')).toEqual([['TimeoutStopUSec', 't', '5']])
    expect(of('TimeoutStopSec', '5')).toEqual([['TimeoutStopUSec', 't', '5000000']])
    expect(of('CollectMode', "'inactive-or-failed'")).toEqual([['CollectMode', 's', 'inactive-or-failed']])
    expect(() => of('After', "['x']")).toThrow(MinilabError)
  })

  test('device rules: nothing that ours allow is forbidden', () => {
    const rule = { allow: true, type: 'c' as const, major: 1, minor: 3, access: 'rwm' }
    expect(devicePolicy([{ allow: false }, rule, { ...rule, allow: false, access: 'w' }])).toEqual([
      ['DevicePolicy', 's', 'strict'],
      ['DeviceAllow', 'a(ss)', '1', '/dev/char/1:3', 'rm'],
    ])
    expect(devicePolicy([{ allow: true }, { ...rule, allow: false }])[0]).toEqual([
      'DevicePolicy',
      's',
      'auto',
    ])
  })
})

const lacks = lacking('runc', 'systemctl', 'busctl', 'dbus-daemon', 'unshare', 'nsenter')
const isBooted = existsSync('/run/systemd/system')

describe.skipIf(lacks || isBooted)(`without systemd${lacks}${isBooted ? ' (it runs here)' : ''}`, () => {
  test('create says so, and leaves nothing', () => {
    using bench = new Bench()
    const said = bench.oci('--systemd-cgroup', 'create', '--bundle', bench.bundle(['true']), 'x')
    expect(said).toMatchObject({ status: 1, stdout: '' })
    expect(said.stderr).toMatch(/systemd not running on this host.*: leave out --systemd-cgroup.*\n$/)
    expect(bench.oci('state', 'x').stderr).toMatch(/does not exist/)
  })
})

const PROPERTIES = [
  'ActiveState ControlGroup CPUQuotaPerSecUSec CPUShares CPUWeight DefaultDependencies Delegate DevicePolicy MemoryAccounting',
  'MemoryLimit MemoryMax Slice TasksAccounting TasksMax',
]
  .flatMap(line => line.split(' '))
  .map(name => `-p ${name}`)
  .join(' ')

/** The life of a container, and what is left. runc's process leaves the devices' cgroup when runc sets the unit's properties: no line of it. */
const LIFE = `cd $B; r() { $R --root $S "$@"; }
show() { systemctl show pre-one.scope "$@"; }
r --systemd-cgroup create --pid-file $S-pid one >$S-log 2>&1; echo create $?; cat $S-log
show ${PROPERTIES}
show -p DeviceAllow | sed s/char-136/char-pts/ | sort
grep -v devices: /proc/$(cat $S-pid)/cgroup
cat /sys/fs/cgroup/*/a.slice/a-b.slice/pre-one.scope/pids.max /sys/fs/cgroup/a.slice/a-b.slice/pre-one.scope/pids.max 2>/dev/null
r start one; r exec one true; echo exec $?
r exec --detach --pid-file $S-exec one sleep 1000; grep -v devices: /proc/$(cat $S-exec)/cgroup
r update --resources $B/update.json one; show ${PROPERTIES}
r pause one; r state one | grep -o 'status.*,' ; r resume one
r events --stats one | grep -o '"type":"stats"'
r kill one KILL; until r state one | grep -q stopped; do sleep 0.1; done
r delete one; echo delete $?
systemctl list-units --all 'pre-*' --no-legend; find /sys/fs/cgroup -name 'pre-*'`

const machines = lacks ? [] : layouts()
describe.skipIf(lacks || machines.length === 0)(
  `systemd${lacks}${lacks || machines.length ? '' : ' (needs cgroup2)'}`,
  () => {
    describe.each(machines.length ? machines : ['v2' as const])('cgroup %s', layout => {
      let bench: Bench
      let machine: Machine
      /** whether the machine can limit memory: not where v1 has that controller */
      let limited = true
      beforeAll(async () => {
        bench = new Bench()
        machine = await Machine.start(layout, [bench.folder])
        if (layout === 'v2')
          limited = machine.run('cat /sys/fs/cgroup/cgroup.controllers').stdout.includes('memory')
      })
      afterAll(async () => {
        await machine[Symbol.asyncDispose]()
        bench[Symbol.dispose]()
      })

      const bundle = (args: string[], change: (config: Config & Unfit) => void = () => {}) =>
        bench.bundle(args, config => {
          config.linux.cgroupsPath = 'a-b.slice:pre:one'
          change(config)
        })
      const oci = (args: string) => machine.run(`${OURS} --systemd-cgroup --root /run/ours ${args}`)
      const left = () =>
        machine.run("systemctl list-units --all 'pre-*' --no-legend; find /sys/fs/cgroup -name 'pre-*'")
          .stdout

      test('the same life as with runc', () => {
        const path = bundle(['sleep', '1000'], ({ linux }) => {
          if (limited)
            linux.resources = {
              memory: { limit: 33554432 },
              pids: { limit: 20 },
              cpu: { quota: 15555, shares: 300 },
              ...linux.resources,
            }
        })
        const update = limited ? { memory: { limit: 50003968 }, pids: { limit: 30 } } : {}
        writeFileSync(join(path, 'update.json'), JSON.stringify(update))
        const of = (R: string) => {
          const { stdout, stderr } = machine.run(LIFE, { R, B: path, S: `/run/${R.split('/').at(-1)}` })
          return stdout + stderr
        }
        const ours = of(OURS)
        expect(ours).toBe(of('runc'))
        expect(ours).toMatch(
          /create 0\n[^]*ControlGroup=\/a.slice\/a-b.slice\/pre-one.scope\n[^]*exec 0\n[^]*delete 0\n$/,
        )
        if (limited) expect(ours).toMatch(/TasksMax=20\n[^]*\n20\n[^]*TasksMax=30\n/)
      })

      test('a create that fails leaves no unit; one whose name is taken leaves that one alone', () => {
        const path = bundle(['sleep', '1000'])
        expect(oci(`create --bundle ${bundle(['nosuch'])} no >/run/said 2>&1; cat /run/said`).stdout).toMatch(
          /executable file not found/,
        )
        expect(left()).toBe('')
        expect(oci(`create --bundle ${path} one >/run/said 2>&1 || cat /run/said`).stdout).toBe('')
        const second = oci(`create --bundle ${path} two >/run/said 2>&1; s=$?; cat /run/said; exit $s`)
        expect(second.status).toBe(1)
        const more = machine.run(
          `echo '{"memory":{"limit":33554432}}' | ${OURS} --root /run/ours update --resources - one`,
        )
        if (limited) expect(more).toMatchObject({ status: 0, stderr: '' })
        else expect(more.stderr).toMatch(/has no memory controller/)
        expect(second.stdout).toMatch(/unable to start unit .*pre-one.scope.*: .*already.*\n$/)
        expect(oci('state one').stdout).toMatch(/"status": *"created"/)
        expect(left()).toMatch(/pre-one.scope *loaded active running/)
        expect(oci('delete --force one').status).toBe(0)
        expect(left()).toBe('')
      })

      test('run, with annotations; delete --force ends what the first process has left', () => {
        const shown = (path: string) =>
          machine.run(`cd ${path}; ${OURS} --systemd-cgroup --root /run/ours run --detach one >/dev/null 2>&1; echo $?
          systemctl show pre-one.scope -p TimeoutStopUSec -p Description`).stdout
        const path = bundle(['sh', '-c', 'sleep 1000 & sleep 1001'], config => {
          config.annotations = { 'org.systemd.property.TimeoutStopUSec': 'uint64 77000000' }
          config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== 'pid')
          config.mounts = config.mounts.filter(({ type }) => type !== 'proc')
        })
        expect(shown(path)).toMatch(
          /^0\n(TimeoutStopUSec=1min 17s\n|Description=minilab-oci container one\n){2}$/,
        )
        expect(oci('delete --force one')).toMatchObject({ status: 0, stderr: '' })
        expect(left()).toBe('')
        expect(machine.run('pgrep -x sleep').stdout).toBe('')
      })

      test('systemd knows all properties that we send', () => {
        const script = `
        import { spawn } from 'node:child_process'
        const { startUnit, setUnitProperties, stopUnit } = await import('${import.meta.dirname}/../../lib/oci/systemd/manager.ts')
        const { propertiesFor } = await import('${import.meta.dirname}/../../lib/oci/systemd/properties.ts')
        const child = spawn('sleep', ['1000'])
        const all = propertiesFor(${JSON.stringify({
          memory: { limit: 2 ** 25, swap: 2 ** 26, reservation: 2 ** 24 },
          cpu: { shares: 512, quota: 20000, period: 50000, cpus: '0', mems: '0' },
          pids: { limit: 9 },
          blockIO: { weight: 300 },
          unified: {
            'memory.high': '20000000',
            'memory.min': 'max',
            'cpu.weight': '50',
            'cpu.max': 'max 40000',
          },
        })}, ${layout === 'v2' ? 2 : 1})
        startUnit('all.scope', child.pid, [['Delegate', 'b', 'true'], ...all])
        setUnitProperties('all.scope', all)
        console.log(all.length)
        spawn('systemctl', ['show', 'all.scope', '-p', 'ActiveState', '-p', 'TasksMax'], { stdio: 'inherit' }).on('exit', () => {
          child.kill()
          stopUnit('all.scope')
        })`
        const file = join(bench.folder, `all-${layout}.mjs`)
        writeFileSync(file, script)
        const { stdout, stderr } = machine.run(`${process.execPath} --no-warnings ${file}`)
        expect(stderr).toBe('')
        expect(stdout).toMatch(/^\d+\n(ActiveState=active\n|TasksMax=9\n){2}$/)
      })
    })
  },
)
