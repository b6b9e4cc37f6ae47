import { join } from 'node:path'
import { MinilabError } from '../common/errors.ts'
import type { Cgroup } from '../kernel/cgroup/cgroup.ts'
import { attachProgram, type Instruction } from '../kernel/cgroup/bpf-program.ts'
import type { DeviceRule } from './spec.ts'

/**
 * Which devices the processes of a cgroup may use: a controller on v1 (Documentation/admin-guide/cgroup-v1/devices.rst), a BPF program
 * on v2, which has no files for it (cgroup-v2.rst, "Device controller").
 */
export function limitDevices(cgroup: Cgroup, rules: readonly DeviceRule[]): void {
  const devices = cgroup.controller('devices')
  if (devices?.version === 1) {
    for (const rule of rules)
      cgroup.write(join(devices.path, rule.allow ? 'devices.allow' : 'devices.deny'), line(rule))
    return
  }
  const unified = cgroup.folders.find(({ hierarchy }) => hierarchy.version === 2)
  if (!unified)
    throw new MinilabError(
      'limited',
      'linux.resources.devices: no mounted cgroup hierarchy can limit devices',
      'mount cgroup2',
    )
  attachProgram(unified.path, BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE, devicesProgram(rules))
}

/** `a` means all devices, whatever follows it. */
const isAll = ({ type = 'a', major, minor, access = 'rwm' }: DeviceRule) =>
  type === 'a' && isAny(major) && isAny(minor) && /^(?=.*r)(?=.*w)(?=.*m)/.test(access)
const isAny = (number: number | undefined) => number === undefined || number < 0

function line(rule: DeviceRule): string {
  const { type = 'a', major, minor, access = 'rwm' } = rule
  if (isAll(rule)) return 'a'
  const number = (value: number | undefined) => (isAny(value) ? '*' : String(value))
  return `${type} ${number(major)}:${number(minor)} ${access}`
}

// linux/bpf.h
const BPF_PROG_TYPE_CGROUP_DEVICE = 15
const BPF_CGROUP_DEVICE = 6
const ACCESS = { m: 1, r: 2, w: 4 }
const TYPE: Record<string, number> = { b: 1, c: 2 }

/**
 * The program: the last rule that holds decides, so they are tried from the end. A rule that allows must cover all that is asked for;
 * one that forbids, any of it.
 */
function devicesProgram(rules: readonly DeviceRule[]): Instruction[] {
  const code: Instruction[] = [
    [0x61, 2, 1, 0, 0], // r2 = context->access_type
    [0xbf, 3, 2, 0, 0],
    [0x57, 2, 0, 0, 0xffff], // r2 = the type
    [0x77, 3, 0, 0, 16], // r3 = the access
    [0x61, 4, 1, 4, 0], // r4 = context->major
    [0x61, 5, 1, 8, 0], // r5 = context->minor
  ]
  for (const rule of rules.toReversed()) {
    const tests = testsOf(rule)
    // each test jumps behind the two instructions that answer, if it does not hold
    tests.forEach(({ before, jump: [op, to, from, , value] }, i) => {
      const left = tests.slice(i + 1).reduce((sum, { before }) => sum + before.length + 1, 0) + 2
      code.push(...before, [op, to, from, left, value])
    })
    code.push([0xb7, 0, 0, 0, rule.allow ? 1 : 0], [0x95, 0, 0, 0, 0])
    if (tests.length === 0) return code // it always holds, and the kernel refuses code that is never reached
  }
  return [...code, [0xb7, 0, 0, 0, 0], [0x95, 0, 0, 0, 0]]
}

interface Test {
  before: Instruction[]
  /** taken if it does not hold */
  jump: Instruction
}

/** The comparisons of a rule. */
function testsOf({ allow, type = 'a', major, minor, access = 'rwm' }: DeviceRule): Test[] {
  const mask = access.split('').reduce((sum, letter) => sum | ACCESS[letter as keyof typeof ACCESS], 0)
  const tests: Test[] = []
  if (TYPE[type]) tests.push({ before: [], jump: [0x55, 2, 0, 0, TYPE[type]] }) // if r2 != type
  const masked = (bits: number): Instruction[] => [
    [0xbf, 1, 3, 0, 0], // r1 = r3 & bits
    [0x57, 1, 0, 0, bits],
  ]
  if (mask !== 7 && allow) tests.push({ before: masked(~mask & 7), jump: [0x55, 1, 0, 0, 0] }) // if r1 != 0
  if (mask !== 7 && !allow) tests.push({ before: masked(mask), jump: [0x15, 1, 0, 0, 0] }) // if r1 == 0
  if (!isAny(major)) tests.push({ before: [], jump: [0x55, 4, 0, 0, major ?? 0] })
  if (!isAny(minor)) tests.push({ before: [], jump: [0x55, 5, 0, 0, minor ?? 0] })
  return tests
}
