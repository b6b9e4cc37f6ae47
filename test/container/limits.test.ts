import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { setLimits } from '../../lib/container/parts/limits.ts'
import type { ResourcesSpec } from '../../lib/container/spec.ts'
import { Cgroup } from '../../lib/kernel/cgroup/cgroup.ts'

const FILES = {
  1: `memory.limit_in_bytes memory.memsw.limit_in_bytes memory.soft_limit_in_bytes cpu.cfs_period_us cpu.cfs_quota_us
      cpu.shares cpuset.cpus cpuset.mems pids.max`.match(/\S+/g)!,
  2: 'memory.max memory.swap.max memory.low cpu.max cpu.weight cpuset.cpus cpuset.mems pids.max'.split(' '),
}

const CONTROLLERS = {
  1: ['memory', 'cpu', 'cpuset', 'pids', 'blkio', 'hugetlb', 'rdma'],
  2: ['memory', 'cpu', 'cpuset', 'pids', 'io', 'hugetlb', 'rdma'],
}

/** What is written where, in a directory that looks like a cgroup of one version but for the files `without`. */
function written(
  version: 1 | 2,
  resources: ResourcesSpec,
  without: string[] = [],
  further: string[] = [],
): Record<string, string> {
  const path = mkdtempSync(join(tmpdir(), 'minilab-limits-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  for (const file of [...FILES[version], ...further])
    if (!without.includes(file)) writeFileSync(join(path, file), '')
  const hierarchy = { version, mount: path, own: path, controllers: CONTROLLERS[version] }
  setLimits(new Cgroup([{ hierarchy, path }]), resources)
  const files = readdirSync(path).map(file => [file, readFileSync(join(path, file), 'utf8')] as const)
  return Object.fromEntries(files.filter(([, value]) => value !== ''))
}

const everything: ResourcesSpec = {
  memory: { limit: 67_108_864, swap: 100_663_296, reservation: 33_554_432 },
  cpu: { quota: 20_000, period: 50_000, shares: 1024, cpus: '0', mems: '0' },
  pids: { limit: 20 },
}

test('every limit has its file on v1', () => {
  expect(written(1, everything)).toEqual({
    'memory.limit_in_bytes': '67108864',
    'memory.memsw.limit_in_bytes': '100663296', // memory and swap together
    'memory.soft_limit_in_bytes': '33554432',
    'cpu.cfs_period_us': '50000',
    'cpu.cfs_quota_us': '20000',
    'cpu.shares': '1024',
    'cpuset.cpus': '0',
    'cpuset.mems': '0',
    'pids.max': '20',
  })
})

test('and on v2, converted', () => {
  expect(written(2, everything)).toEqual({
    'memory.max': '67108864',
    'memory.swap.max': '33554432', // swap alone
    'memory.low': '33554432',
    'cpu.max': '20000 50000',
    'cpu.weight': '100', // 2…262144 shares to a weight of 1…10000, as crun and runc convert
    'cpuset.cpus': '0',
    'cpuset.mems': '0',
    'pids.max': '20',
  })
})

test('-1 is explicitly unlimited', () => {
  const unlimited = { memory: { limit: -1, swap: -1 }, cpu: { quota: -1 }, pids: { limit: -1 } }
  expect(written(1, unlimited)).toEqual({
    'memory.limit_in_bytes': '-1',
    'memory.memsw.limit_in_bytes': '-1',
    'cpu.cfs_quota_us': '-1',
    'pids.max': 'max',
  })
  expect(written(2, unlimited)).toEqual({
    'memory.max': 'max',
    'memory.swap.max': 'max',
    'cpu.max': 'max 100000',
    'pids.max': 'max',
  })
})

test('0 and what is absent is no limit of ours', () => {
  expect(written(1, {})).toEqual({})
  expect(written(2, { cpu: { quota: 0, shares: 0, cpus: '' }, pids: { limit: 0 } })).toEqual({})
})

test("a quota without a period gets the kernel's own, a period without a quota limits nothing", () => {
  expect(written(2, { cpu: { quota: 5000 } })).toEqual({ 'cpu.max': '5000 100000' })
  expect(written(2, { cpu: { period: 50_000 } })).toEqual({ 'cpu.max': 'max 50000' })
})

test('where swap is not accounted, its limit is left out; any other missing file is an error with its path', () => {
  const memory = { memory: { limit: 1000, swap: 1000 } }
  expect(written(1, memory, ['memory.memsw.limit_in_bytes'])).toEqual({ 'memory.limit_in_bytes': '1000' })
  expect(written(2, memory, ['memory.swap.max'])).toEqual({ 'memory.max': '1000' })
  expect(() => written(2, memory, ['memory.max'])).toThrow(/^open\(".*\/memory\.max"\) = -1 ENOENT/)
})

const disk = { major: 8, minor: 16 }
const further: ResourcesSpec = {
  cpu: { burst: 5000, idle: 1 },
  blockIO: {
    weight: 300,
    weightDevice: [{ ...disk, weight: 20 }],
    throttleReadBpsDevice: [{ ...disk, rate: 1 }],
    throttleWriteBpsDevice: [{ ...disk, rate: 2 }],
    throttleReadIOPSDevice: [{ ...disk, rate: 3 }],
    throttleWriteIOPSDevice: [{ ...disk, rate: 4 }],
  },
  hugepageLimits: [{ pageSize: '2MB', limit: 4 << 20 }],
  rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 0 } },
}

test('further limits have their files, on v1 and on v2, or are refused', () => {
  const onlyV1 = { cpu: { realtimeRuntime: 950, realtimePeriod: 1000 }, memory: { kernelTCP: 4096 } }
  const expected1 = {
    'cpu.cfs_burst_us': '5000',
    'cpu.idle': '1',
    'cpu.rt_runtime_us': '950',
    'cpu.rt_period_us': '1000',
    'memory.kmem.tcp.limit_in_bytes': '4096',
    'blkio.weight': '8:16 20', // both are written to one file, one after the other
    'blkio.throttle.read_bps_device': '8:16 1',
    'blkio.throttle.write_bps_device': '8:16 2',
    'blkio.throttle.read_iops_device': '8:16 3',
    'blkio.throttle.write_iops_device': '8:16 4',
    'hugetlb.2MB.limit_in_bytes': '4194304',
    'rdma.max': 'mlx5_1 hca_handle=3 hca_object=0',
  }
  const on1 = { ...further, ...onlyV1, cpu: { ...further.cpu, ...onlyV1.cpu } }
  expect(written(1, on1, [], Object.keys(expected1))).toEqual(expected1)

  const expected2 = {
    'cpu.max.burst': '5000',
    'cpu.idle': '1',
    'io.bfq.weight': '8:16 20',
    'io.max': '8:16 wiops=4',
    'hugetlb.2MB.max': '4194304',
    'rdma.max': 'mlx5_1 hca_handle=3 hca_object=0',
    'memory.high': '5',
  }
  const on2 = { ...further, unified: { 'memory.high': '5' } }
  expect(written(2, on2, [], Object.keys(expected2))).toEqual(expected2)
  expect(() => written(2, { cpu: onlyV1.cpu })).toThrow(
    /linux\.resources\.cpu\.realtime\w+: cgroup v2 has no such limit/,
  )
  expect(() => written(2, { memory: onlyV1.memory })).toThrow(/linux\.resources\.memory\.kernelTCP/)
  expect(() => written(2, { unified: { 'no.such': '1' } })).toThrow(/there is no no\.such/)
})
