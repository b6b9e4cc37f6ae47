// The table of the specification's fields is complete, and what it says is true.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fieldsOf } from '../../lib/common/shape.ts'
import { NOT_DONE } from '../../lib/container/spec-check.ts'
import { isConfig } from '../../lib/oci/config.ts'
import { Bench, type Config, type Unfit } from './bench.ts'
import { lacking } from './engines.ts'
import { FIELDS } from './fields.ts'

test('each field that is read, or refused, is in the table, and no other', () => {
  const refused = NOT_DONE.filter(name => !fieldsOf(isConfig).includes(name))
  const named = Object.entries(FIELDS).filter(([, proof]) => !('ignored' in proof))
  expect(named.map(([name]) => name).toSorted()).toEqual([...fieldsOf(isConfig), ...refused].toSorted())
  expect(
    named
      .filter(([, proof]) => 'refused' in proof)
      .map(([name]) => name)
      .toSorted(),
  ).toEqual(refused.toSorted())
})

test('each test that the table names is there', () => {
  const texts = new Map<string, string>()
  for (const [name, proof] of Object.entries(FIELDS)) {
    if (!('test' in proof)) continue
    const path = join(import.meta.dirname, '..', `${proof.in}.test.ts`)
    if (!texts.has(path)) texts.set(path, readFileSync(path, 'utf8'))
    expect(texts.get(path), name).toMatch(
      new RegExp(`(test(\\.each\\([\\w(), ]+\\))?\\(|\\[\\n? *)'${RegExp.escape(proof.test)}`),
    )
  }
})

const lacks = lacking('runc')
describe.skipIf(lacks)(`fields of config.json${lacks}`, () => {
  let bench: Bench
  beforeAll(() => void (bench = new Bench()))
  afterAll(() => bench[Symbol.dispose]())

  const run = (args: string[], change: (config: Config & Unfit) => void) =>
    bench.oci('run', '--bundle', bench.bundle(args, change), 'x')

  const REFUSED = Object.entries(FIELDS).flatMap(([name, proof]) =>
    'refused' in proof ? [[name, proof.refused] as const] : [],
  )
  test.each(REFUSED)('%s is refused by its name', (name, value) => {
    const [last = '', ...above] = name.replace('[]', '.0').split('.').toReversed()
    const { status, stderr } = run(['true'], config => {
      if (name.startsWith('linux.seccomp.')) config.linux.seccomp = { defaultAction: 'SCMP_ACT_ALLOW' }
      let at: Unfit = config
      for (const step of above.toReversed()) at = (at[step] ??= {}) as Unfit
      at[last] = value
    })
    expect(status).toBe(1)
    expect(stderr).toContain(`does not support ${name}`)
  })

  /** Each of several values of one field; what the program then says. */
  const says = (script: string, change: (config: Config & Unfit) => void) => {
    const { status, stdout, stderr } = run(['sh', '-c', script], change)
    return status === 0 ? stdout : stderr
  }

  test('the scheduler, for all policies', () => {
    const policy = 'cut -d" " -f 19,40,41 /proc/self/stat' // nice, real-time priority, policy
    const under = (scheduler: Config['process']['scheduler']) =>
      says(policy, ({ process }) => (process.scheduler = scheduler))
    expect(under({ policy: 'SCHED_BATCH', nice: 5 })).toBe('5 0 3\n')
    expect(under({ policy: 'SCHED_IDLE' })).toBe('0 0 5\n')
    expect(under({ policy: 'SCHED_OTHER', nice: 3, flags: ['SCHED_FLAG_RESET_ON_FORK'] })).toBe('3 0 0\n')
    expect(under({ policy: 'SCHED_NO' })).toMatch(/process\.scheduler\.policy ."SCHED_NO.*does not exist/)
    // a cgroup of v1 without time for it, or a kernel without the policy, refuses: never the program with another policy
    for (const scheduler of [
      { policy: 'SCHED_FIFO', priority: 7 },
      {
        policy: 'SCHED_DEADLINE',
        runtime: 1e6,
        deadline: 1e7,
        period: 1e8,
        flags: ['SCHED_FLAG_RESET_ON_FORK'],
      },
    ])
      expect(under(scheduler)).toMatch(
        /^0 7 1\n$|^0 0 6\n$|sched_setattr\(0, .*(not permitted|invalid argument|busy)/,
      )
  })

  test('the priority of input and output', () => {
    const under = (level: string, priority: number) =>
      says('ionice -p $$', ({ process }) => (process.ioPriority = { class: level, priority }))
    expect(under('IOPRIO_CLASS_BE', 6)).toBe('best-effort: prio 6\n')
    expect(under('IOPRIO_CLASS_IDLE', 0)).toMatch(/^idle/)
    expect(under('IOPRIO_CLASS_NO', 0)).toMatch(/process\.ioPriority\.class/)
  })

  test('the personality', () => {
    const under = (personality: { domain: string; flags?: string[] }) =>
      says('uname -m; cat /proc/self/personality', ({ linux }) => (linux.personality = personality))
    expect(under({ domain: 'LINUX32' })).toMatch(/^(i686|armv8l)\n00000008\n$/)
    expect(under({ domain: 'LINUX' })).toMatch(/^(x86_64|aarch64)\n00000000\n$/)
    expect(under({ domain: 'BSD' })).toMatch(/linux\.personality\.domain/)
    expect(under({ domain: 'LINUX', flags: ['x'] })).toMatch(/linux\.personality\.flags/)
  })

  test('the offsets of clocks', () => {
    const script = 'cat /proc/self/timens_offsets'
    const change = ({ linux }: Config) => {
      linux.namespaces.push({ type: 'time' })
      linux.timeOffsets = { monotonic: { secs: 100, nanosecs: 5 }, boottime: { secs: 2000 } }
    }
    expect(says(script, change)).toMatch(/^monotonic +100 +5\nboottime +2000 +0\n$/)
  })

  test('the size of the terminal', () => {
    const path = bench.bundle(['stty', 'size'], ({ process }) => {
      process.terminal = true
      process.consoleSize = { width: 91, height: 23 }
    })
    const { stdout } = bench.oci('run', '--bundle', path, 'x')
    expect(stdout).toBe('23 91\r\n')
  })
})
