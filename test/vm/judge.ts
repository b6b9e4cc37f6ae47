import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict'
import type { Report } from '../../lib/guide/step.ts'
import type { WrongReport } from '../../lib/guide/run-mutant.ts'
import { OFFSETS_REFUSED, offsetsPossible } from '../../lib/kernel/process/time-offsets.ts'
import type { Answer } from './guest.ts'

/** Who runs minilab in the guest. */
export interface User {
  name: string
  /** what is written in front of the command */
  wrapper: string[]
  mode: Report['mode']
  /** what they may be refused: the beginning of the reason that is told */
  refused: RegExp[]
}

export const users: User[] = [
  { name: 'root', wrapper: ['sudo', '-n'], mode: 'root', refused: [] },
  {
    name: 'user',
    wrapper: [],
    mode: 'rootless',
    refused: [/^the \w+ controller is not delegated to you/, /^no cgroup of its own can be had here/],
  },
  {
    name: 'user with delegation',
    wrapper: ['systemd-run', '--user', '--scope', '--quiet', '-p', 'Delegate=yes', '--'],
    mode: 'rootless',
    refused: [],
  },
]

/** The one document that a command printed, with nothing on stderr. */
function document<T>({ stdout, stderr, signal }: Answer): T {
  deepEqual({ stderr, signal }, { stderr: '', signal: null })
  match(stdout, /^\{.*\}\n$/)
  return JSON.parse(stdout) as T
}

/** Whether a check that was not looked at says a reason that this user on this kernel may have. */
function mayBeLimited({ ok, limited }: Report['checks'][number], { refused }: User, kernel: string): boolean {
  const reasons = offsetsPossible(kernel) ? refused : [...refused, new RegExp(OFFSETS_REFUSED.reason)]
  return ok === null && reasons.some(reason => reason.test(limited ?? ''))
}

const brief = ({ id, ok, limited, diagnosis }: Report['checks'][number]) => ({ id, ok, limited, diagnosis })

/** As test/cli/step.test.ts: each check holds, or says why it cannot be looked at; nothing is left. */
export function judgeStep(step: number, user: User, kernel: string, answer: Answer): void {
  const report = document<Report>(answer)
  const { checks, host, tape } = report
  const limited = checks.filter(check => mayBeLimited(check, user, kernel))
  const open = checks.filter(check => check.ok !== true && !limited.includes(check))
  deepEqual(open.map(brief), [])
  deepEqual([report.step, report.mode, report.runtime, report.ok], [step, user.mode, 'minilab', true])
  deepEqual(host.left, [])
  notEqual(host.changed.length, 0)
  notEqual(checks.length, 0)
  for (const { id, ok: holds, evidence } of checks) ok(!holds || evidence.length > 0, id)
  const last = tape.at(-1)
  deepEqual([last?.call, last?.errno], ['execve', null])
  equal(answer.status, 0)
}

/** As test/guide/mutants.test.ts: exactly the declared checks see it, each in the words declared. */
export function judgeMutant(
  breaks: Record<string, string>,
  user: User,
  kernel: string,
  answer: Answer,
): void {
  const { checks, refused, wrong } = document<WrongReport>(answer)
  equal(refused, undefined)
  const limited = checks.filter(check => mayBeLimited(check, user, kernel)).map(({ id }) => id)
  const failed = checks.filter(check => check.ok === false)
  // what it breaks may depend on the cgroup version, which is the guest's
  const declared = (wrong.breaks ?? []).filter(id => !limited.includes(id))
  deepEqual(failed.map(({ id }) => id).toSorted(), declared.toSorted())
  for (const { id, diagnosis } of failed) ok(diagnosis?.includes(breaks[id] ?? ''), `${id}: ${diagnosis}`)
  equal(answer.status, 0)
}

/** What vitest's JSON reporter prints: all passed, but for what needs the other architecture's assembler. */
export function judgeTests({ stdout, stderr }: Answer): void {
  match(stdout, /^\{.*\}\s*$/, stderr)
  const { testResults } = JSON.parse(stdout) as {
    testResults: { assertionResults: { fullName: string; status: string; failureMessages: string[] }[] }[]
  }
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults)
  notEqual(tests.length, 0)
  const open = tests.filter(({ status, fullName }) => status !== 'passed' && !/no assembler/.test(fullName))
  deepEqual(
    open.map(({ fullName, failureMessages }) => [fullName, ...failureMessages]),
    [],
  )
}
