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

/**
 * A container in the background, with all that stays with it: monitor, log pumps, init, and for root the forwarder of a port. They are tapes,
 * that is, machine code of the guest's processor.
 */
export function backgroundCases(machine: Machine): Case[] {
  return users.slice(0, 2).map(({ name, wrapper, mode }) => {
    const isRoot = mode === 'root'
    const program =
      'trap "echo ended; exit 5" TERM; echo out; echo err >&2; httpd -p 80 -h /etc; sleep 1000 & wait'
    const script = String.raw`
      minilab() { ${minilab(machine, { name, mode, refused: [], wrapper: [] }).join(' ')} "$@"; }
      id=$(minilab run -d --init ${isRoot ? '-p 127.0.0.1:8080:80' : '--network none'} --name behind --hostname inside default sh -c '${program}')
      cat $(grep -l '^minilab-' /proc/[0-9]*/cmdline) | tr '\0' '\n' | sort
      minilab exec $id sh -c 'tr "\0" "\n" < /proc/1/cmdline; until netstat -ltn | grep -q :80; do :; done'
      ${isRoot ? `${nodeOf(machine)} -e 'fetch("http://127.0.0.1:8080/hostname").then(answer => answer.text()).then(text => process.stdout.write(text))'` : ''}
      minilab kill -s TERM $id
      minilab logs -f $id 2>&1 | sort
      minilab ps -a --json | grep -o '"status":"[^"]*"'
      minilab rm $id`
    return {
      name: `a container in the background, as ${name}`,
      command: [...wrapper, 'sh', '-c', script],
      judge({ stdout, stderr }) {
        const forwarders = isRoot ? ['minilab-forwarder', 'minilab-forwarder'] : [] // one accepts, one waits for the end
        const beside = [...forwarders, 'minilab-log', 'minilab-log', 'minilab-monitor']
        const inside = ['init', ...(isRoot ? ['inside'] : [])]
        const end = ['behind', 'ended', 'err', 'out', '"status":"exited (5)"', 'behind', '']
        deepEqual([stdout.split('\n'), stderr], [[...beside, ...inside, ...end], ''])
      },
    }
  })
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
