import type { Launch, Timeline } from '../../lib/guide/timeline.ts'
import type { Replayed } from '../../lib/kernel/tape/tape.ts'

/** A child's calls, each directly behind the one before; it was made at `at` on our clock, by a clone3 of `cloned` ns. */
export function tapeOf(
  at: number,
  cloned: number,
  calls: [part: string, call: string, ns: number, more?: Partial<Replayed>][],
): Replayed[] {
  let start = cloned
  return calls.map(([part, call, ns, more]) => {
    const replayed = { call, args: '', result: 0, errno: null, start, at: at + start, ns, part, ...more }
    start += ns
    return replayed
  })
}

const AT = 5_000_001

/** A start of 10 000 ns, of which the child waited 2000: three parts, and one of them taught. */
export function example(): Timeline & { own: Launch } {
  const tape = tapeOf(AT, 1000, [
    ['process', 'write', 200, { args: '9, "?", 1', result: 1 }],
    ['process', 'read', 2000, { args: '9, "g", 1', result: 1 }],
    ['root', 'open_tree', 1600, { args: 'AT_FDCWD, "/dev/null", OPEN_TREE_CLONE', result: 7 }],
    ['root', 'mkdirat', 100, { result: -1, errno: 'EEXIST' }],
    ['root', 'mount', 300],
    ['root', 'mkdirat', 100],
    ['root', 'mount', 300],
    ['root', 'pivot_root', 800, { args: '".", "."' }],
    ['limits', 'unshare', 400],
    ['process', 'execve', 3200, { args: '"/bin/sh", ["/bin/sh"]', result: null }],
  ])
  const clone = {
    ...tape[0]!,
    call: 'clone3',
    args: '{flags=0}',
    start: 0,
    at: AT,
    ns: 1000,
    part: '',
    result: 42,
  }
  return {
    step: { number: 3, name: 'root', teaches: ['root'] },
    own: { purpose: 'own', clone, tape },
    launches: [
      {
        purpose: 'visit',
        tape: tapeOf(AT + 20_007, 333, [
          ['', 'setns', 1001],
          ['', 'exit_group', 77],
        ]),
      },
      {
        purpose: 'asked by us',
        tape: [{ call: 'RTM_NEWLINK', args: '', result: 0, errno: null, ns: 5, part: '' }],
      },
    ],
    host: [
      { part: 'limits', hook: 'prepare', at: AT - 3000, ns: 2500 },
      { part: 'namespaces', hook: 'attach', at: AT + 1300, ns: 500 },
      { part: 'limits', hook: 'attach', at: AT + 1800, ns: 1000 },
    ],
  }
}
