import { equal } from 'node:assert/strict'
import { type BookAction, judgeBook } from './book.ts'
import { backgroundCases, type Case, guestCases, kernelCases, mutantCases, stepCases } from './cases.ts'
import type { GuestLink } from './guest-link.ts'
import type { Machine } from './machines.ts'
import type { Tally } from './tally.ts'

/** For one command in the guest. In seconds; emulated, on a host with much else to do, the longest took 340. */
const LIMIT = 1200

export interface Wanted {
  /** the matrix of mutants too */
  mutants: boolean
  /** of all cases, those whose name matches */
  only: RegExp
  /** no cases, only the recordings of the book that show cgroup v2 */
  book?: BookAction | undefined
}

/** Everything that is judged in a guest. */
export async function judgeAll(
  machine: Machine,
  guest: GuestLink,
  tally: Tally,
  wanted: Wanted,
): Promise<void> {
  const kernel = (await guest.run(['uname', '-r'], LIMIT)).stdout.trim()
  const run = async (cases: Case[], atOnce: number) => {
    const left = cases.filter(({ name }) => wanted.only.test(name))
    const worker = async () => {
      for (let next = left.shift(); next; next = left.shift()) {
        const { name, command, judge } = next
        const answer = await guest.run(command, LIMIT)
        tally.judge(name, answer.ms, () => judge(answer, kernel))
      }
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
  }
  await run(guestCases(machine), 1)
  const before = await state(guest)
  if (!wanted.book) {
    await run(kernelCases(machine), 1)
    await run(stepCases(machine), 1)
    await run(backgroundCases(machine), 1)
    // as many as the guest has processors
    if (wanted.mutants) await run(await mutantCases(machine), 2)
  }
  // step 4 does not run on arm64
  if (wanted.book || (machine.arch === 'x64' && wanted.only.test('book')))
    await judgeBook(guest, tally, wanted.book ?? 'check')
  const after = await state(guest)
  tally.judge('the guest is as it was before', 0, () => equal(after, before))
}

/** What steps must leave as it is: mounts, links, rules, settings, and no cgroups of ours. */
async function state(guest: GuestLink): Promise<string> {
  const script = [
    'cut -d" " -f4- /proc/1/mountinfo | grep -v binfmt_misc | sort', // systemd mounts that for whoever looks at it
    'ip -o link | cut -d: -f2',
    'nft list ruleset',
    'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/hostname',
    'find /sys/fs/cgroup -name minilab -o -name minilab-self',
    'cat /sys/fs/cgroup/cgroup.subtree_control',
  ].join('\n')
  const { stdout } = await guest.run(['sudo', '-n', 'sh', '-c', script], LIMIT)
  return stdout
}
