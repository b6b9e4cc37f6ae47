import { expect, test } from 'vitest'
import { defaultSpec } from '../../lib/container/default-spec.ts'
import { weight } from '../../lib/container/parts/limits.ts'
import { mountOptions } from '../../lib/container/rootfs/mount-options.ts'
import { resources } from '../../lib/container/run/options.ts'
import type { Spec } from '../../lib/container/spec.ts'
import { refuseUndone } from '../../lib/container/spec-check.ts'
import { rlimitNumber } from '../../lib/kernel/process/rlimits.ts'
import { MS_NODEV, MS_RDONLY } from '../../lib/kernel/syscalls/constants.ts'

test('sizes and shares, as docker and as Kubernetes write them', () => {
  const memory = (text: string) => resources({ memory: text }).memory?.limit
  expect(['64m', '64Mi', '64MiB', '64mb', '67108864', '67108864b', '0', '0.0625g'].map(memory)).toEqual([
    ...Array<number>(6).fill(67108864),
    undefined,
    67108864,
  ])
  expect(['0.5', '500m', '.5', '0'].map(cpus => resources({ cpus }).cpu?.quota)).toEqual([
    50000,
    50000,
    50000,
    undefined,
  ])
  expect(['10', '0', '-1'].map(pidsLimit => resources({ pidsLimit }).pids?.limit)).toEqual([
    10,
    undefined,
    undefined,
  ])
  for (const wrong of ['-1', '5x', '1Mib2', '', '0.5', '64i', '0.0000001m'])
    expect(() => resources({ memory: wrong })).toThrow(/is not a valid size/)
})

test('a resource limit that Linux does not have is refused, and not set as another', () => {
  expect(rlimitNumber('RLIMIT_NOFILE')).toBe(7)
  for (const [name, remedy] of [
    ['RLIMIT_NOFILES', 'did you mean RLIMIT_NOFILE?'],
    ['NOFILE', 'man 2 getrlimit lists them'],
    ['O_RDWR', 'man 2 getrlimit lists them'],
  ] as const)
    expect(() => rlimitNumber(name)).toThrow(expect.objectContaining({ kind: 'usage', remedy }))
})

// opencontainers/cgroups, utils_test.go
test.each([
  [2, 1],
  [1024, 100],
  [2048, 174],
  [512, 59],
  [262144, 10000],
])('%i shares are a weight of %i', (shares, expected) => expect(weight(shares)).toBe(expected))

const change = (apply: (spec: Spec & Record<string, unknown>) => void) => {
  const spec = defaultSpec('/', ['true'], false) as Spec & Record<string, unknown>
  apply(spec)
  return () => refuseUndone(spec)
}

test('a field of the specification that we do not do is refused by name, one that nobody knows is ignored', () => {
  expect(change(spec => (spec.hooks = { prestart: [{ path: '/bin/true' }] }))).toThrow(
    /does not support hooks/,
  )
  expect(change(spec => (spec.hooks = { prestart: [] }))).not.toThrow()
  expect(change(spec => Object.assign(spec.linux, { intelRdt: { closID: 'x' } }))).toThrow(/linux\.intelRdt/)
  expect(change(spec => Object.assign(spec.process, { apparmorProfile: 'x' }))).toThrow(
    /process\.apparmorProfile/,
  )
  expect(change(spec => (spec.somethingNew = true))).not.toThrow()
})

test("a setting that is the whole machine's is refused", () => {
  const sysctl = (name: string) => change(spec => (spec.linux.sysctl = { [name]: '1' }))
  expect(sysctl('net.ipv4.ip_forward')).not.toThrow()
  expect(sysctl('kernel.msgmax')).not.toThrow()
  expect(sysctl('kernel.panic')).toThrow(/kernel\.panic would change the whole machine/)
  const shared = change(spec => {
    spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'network')
    spec.linux.sysctl = { 'net.core.somaxconn': '1' }
  })
  expect(shared).toThrow(/without a namespace of type network/)
})

test('recursive options are for all mounts below', () => {
  expect(mountOptions(['rbind', 'rro', 'rnodev', 'rprivate'])).toMatchObject({
    recursive: MS_RDONLY | MS_NODEV,
  })
})

test('what is changed in one spec is not in the next', () => {
  const spec = () => defaultSpec('/', ['true'], false)
  const before = JSON.stringify(spec())
  /** Empties every list in it, at any depth, and what the list holds. */
  const empty = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    Object.values(value).forEach(empty)
    if (Array.isArray(value)) value.length = 0
  }
  const changed = spec()
  for (const mapping of changed.linux.uidMappings ?? []) mapping.size = 1
  empty(changed)
  expect(JSON.stringify(spec())).toBe(before)
})
