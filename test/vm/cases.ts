import { deepEqual, match } from 'node:assert/strict'
import { steps } from '../../lib/cli/steps.ts'
import type { Answer } from './guest.ts'
import { judgeMutant, judgeStep, judgeTests, type User, users } from './judge.ts'
import type { Machine } from './machines.ts'

/** A command for the guest, and what its answer must be. */
export interface Case {
  name: string
  command: string[]
  /** fails an assertion where the answer is wrong; `kernel` is the guest's, as uname -r says it */
  judge(answer: Answer, kernel: string): void
}

const nodeOf = ({ arch }: Machine) => `/minilab/node_modules/node-linux-${arch}/bin/node`
const numbersOn = ({ arch }: Machine) => (arch === 'arm64' ? [1, 2, 3] : [1, 2, 3, 4, 5, 6, 7])

function minilab(machine: Machine, { wrapper }: User, ...args: string[]): string[] {
  return [...wrapper, nodeOf(machine), '/minilab/bin.mjs', ...args]
}

/** That the guest is the machine that we meant. */
export function guestCases({ user }: Machine): Case[] {
  const facts =
    'stat -fc %T /sys/fs/cgroup; cat /proc/1/comm; uname -m; id -un; systemctl --user is-active default.target'
  const { wrapper } = users.find(({ name }) => name.includes('delegation'))!
  return [
    {
      name: 'systemd and cgroup v2 alone; an ordinary user with a session',
      command: ['sh', '-c', facts],
      judge: ({ stdout }) =>
        deepEqual(stdout.trim().split('\n'), ['cgroup2fs', 'systemd', user, 'learner', 'active']),
    },
    {
      name: 'a scope of theirs has the controllers that step 4 needs',
      command: [
        ...wrapper,
        'sh',
        '-c',
        'cat "/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)/cgroup.controllers"',
      ],
      judge({ stdout }) {
        for (const controller of ['cpu', 'memory', 'pids']) match(stdout, new RegExp(`\\b${controller}\\b`))
      },
    },
  ]
}

/** The tests of what differs from processor to processor: the machine code, and the system calls that it makes. */
export function kernelCases(machine: Machine): Case[] {
  if (machine.arch === 'x64') return [] // where `npm test` runs
  const options = '--reporter=json --outputFile=$report --testTimeout=300000 --hookTimeout=300000'
  const vitest = `${nodeOf(machine)} node_modules/vitest/vitest.mjs run launchpad kernel/tape ${options}`
  const script = `report=$(mktemp); ${vitest} >&2; cat $report`
  // the user first: what root leaves in node_modules they cannot write
  return users
    .slice(0, 2)
    .toReversed()
    .map(({ name, wrapper }) => ({
      name: `launchpad and tape, as ${name}`,
      command: [...wrapper, 'sh', '-c', script],
      judge: judgeTests,
    }))
}

export function stepCases(machine: Machine): Case[] {
  return users.flatMap(user =>
    numbersOn(machine).map(number => ({
      name: `step ${number}, as ${user.name}`,
      command: minilab(machine, user, 'step', String(number), '--yes', '--json'),
      judge: (answer, kernel) => judgeStep(number, user, kernel, answer),
    })),
  )
}

/** The matrix of test/guide/mutants.test.ts. */
export async function mutantCases(machine: Machine): Promise<Case[]> {
  const cases: Case[] = []
  for (const user of users)
    for (const number of numbersOn(machine))
      for (const { name, breaks, rootOnly } of await steps[number - 1]!.mutants())
        if (!rootOnly || user.mode === 'root')
          cases.push({
            name: `step ${number} --mutant ${name}, as ${user.name}`,
            command: minilab(machine, user, 'step', String(number), '--mutant', name, '--json'),
            judge: (answer, kernel) => judgeMutant(breaks, user, kernel, answer),
          })
  return cases
}
