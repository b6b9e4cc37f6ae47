import { deepEqual } from 'node:assert/strict'
import { ownFolder } from '../../lib/common/own-folder.ts'
import { checkBook } from '../book/check-book.ts'
import { readPages } from '../book/page.ts'
import { print, type Problem } from '../book/problem.ts'
import { Recorder } from '../book/recording.ts'
import { syncBook } from '../book/sync-book.ts'
import type { GuestLink } from './guest-link.ts'
import { VmProblem } from './problem.ts'
import type { Tally } from './tally.ts'

/** For one recording. In seconds; emulated, on a host with much else to do, a mutant took one minute and a step five. */
const LIMIT = 1200

/** What to do with the recordings that show cgroup v2. */
const ACTIONS = {
  check: async (only: string[], recorder: Recorder): Promise<Problem[]> =>
    (await checkBook(ownFolder, { only, recorder })).problems,

  async sync(only: string[], recorder: Recorder): Promise<Problem[]> {
    const { written, problems } = await syncBook(ownFolder, { only, recorder })
    for (const place of written) console.log(`${place}: filled in`)
    return problems
  },
}

export type BookAction = keyof typeof ACTIONS

export function isBookAction(name: string): name is BookAction {
  return Object.hasOwn(ACTIONS, name)
}

/** Compares the pages whose recordings show cgroup v2 with what their commands print in the guest, or fills them in. */
export async function judgeBook(guest: GuestLink, tally: Tally, action: BookAction): Promise<void> {
  const pages = readPages(ownFolder).filter(({ cgroup }) => cgroup === 2)
  const began = performance.now()
  const problems = await ACTIONS[action](
    pages.map(({ name }) => name),
    recorderIn(guest),
  )
  tally.judge(
    `${pages.map(({ file }) => file).join(', ')}: what is recorded`,
    performance.now() - began,
    () => deepEqual(problems.map(print), []),
  )
}

function recorderIn(guest: GuestLink): Recorder {
  return new Recorder('/minilab', {
    cgroup: 2,
    seconds: LIMIT,
    atOnce: 1, // commands share the guest's cgroups, and the first of two would make a directory that the second uses
    async run(args) {
      // a newer Debian has /tmp in memory, and what a container writes there would be on its account
      const script = ['env', 'TMPDIR=/var/tmp', 'sh', '/minilab/test/book/record.sh', ...args]
      const { stdout, stderr, status, ms } = await guest.run(['sudo', '-n', ...script], LIMIT + 60)
      console.log(`${stderr}recorded in ${Math.round(ms / 1000)} s: ${args.at(-1)}`)
      if (status === null) throw new VmProblem(`a signal ended ${script.join(' ')}`)
      return { output: stdout, status }
    },
  })
}
