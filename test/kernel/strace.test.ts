import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Report, TapeEntry } from '../../lib/guide/step.ts'
import { runMinilab, userFolder, users, thorough } from '../support/minilab.ts'
import { straced } from '../support/strace.ts'

// What a tape prints is what the kernel was asked, seen by ptrace(2): nothing left out, nothing else, in this order.

const tried = spawnSync('strace', ['-o', '/dev/null', 'true'])
const lacking = tried.error
  ? ' (no strace: apt-get install strace)'
  : tried.status
    ? ` (strace cannot trace here: ${tried.stderr.toString().trim()})`
    : ''

type Seen = Pick<TapeEntry, 'call' | 'result' | 'errno'>

/** One process as strace saw it, each call in a line: `1700000000.123456 mount("proc", …) = -1 EPERM (…)`. */
const LINE = /^([\d.]+) (\w+)\((.*)\) += (\?|-?\w+)(?: ([A-Z]\w+))?/

interface Call extends Seen {
  time: number
  args: string
}

function traces(folder: string): Map<number, Call[]> {
  const byPid = new Map<number, Call[]>()
  for (const file of readdirSync(folder)) {
    const lines = readFileSync(join(folder, file), 'utf8').split('\n')
    const calls = lines.map(line => LINE.exec(line)).filter(match => match !== null)
    byPid.set(Number(file.split('.').at(-1)), calls.map(parse))
  }
  return byPid
}

function parse([, time, call = '', args = '', value = '', errno]: (string | undefined)[]): Call {
  const octal = /^0\d/.test(value) // strace prints a umask so
  const result = value === '?' ? null : octal ? parseInt(value, 8) : Number(value)
  return { time: Number(time), call, args, result, errno: errno ?? null }
}

/** A child, from its clone3 to where it stopped sharing the memory of the process that launched it. */
interface Launched {
  by: number
  calls: Seen[]
}

/** All children that were launched, in the order of their clone3. */
function launched(folder: string): Launched[] {
  const byPid = traces(folder)
  const clones = [...byPid].flatMap(([tid, calls]) =>
    calls.filter(({ call }) => call === 'clone3').map(clone => ({ tid, ...clone })),
  )
  const creators = new Map(
    clones.filter(({ args }) => args.includes('CLONE_THREAD')).map(({ tid, result }) => [result, tid]),
  )
  const processOf = (tid: number): number => {
    const creator = creators.get(tid)
    return creator === undefined ? tid : processOf(creator)
  }
  return clones
    .filter(({ args }) => /CLONE_VFORK.*CLONE_CLEAR_SIGHAND/.test(args))
    .sort((a, b) => a.time - b.time)
    .map(({ tid, result }) => ({ by: processOf(tid), calls: replayed(byPid.get(result ?? 0) ?? []) }))
}

function replayed(calls: Call[]): Seen[] {
  const left = calls.findIndex(({ call, result }) => call === 'execve' && result === 0)
  const until = left === -1 ? calls : calls.slice(0, left + 1)
  // after a refused call the launchpad itself leaves
  const { call, args } = until.at(-1) ?? {}
  const tape = call === 'exit_group' && args === '127' ? until.slice(0, -1) : until
  // the second stage maps its tape: that is its program's doing, not the tape's
  const recorded = tape.filter(({ call }, i) => !(call === 'mmap' && tape[i - 1]?.call === 'execveat'))
  return recorded.map(({ call, result, errno }) => ({
    call,
    errno,
    result: call.startsWith('execve') && !result ? null : result,
  }))
}

/** The children that a report tells of: the step's own container, and the other launches in their order. */
function told({ tape, launches }: Report): { own: Seen[]; others: Seen[][] } {
  const bare = (entries: TapeEntry[]): Seen[] =>
    entries.map(({ call, result, errno }) => ({ call, errno, result }))
  // what we did ourselves is reported in the same way: netlink requests, directories and files of a cgroup
  const byUs = (entries: TapeEntry[]) => entries.every(({ call }) => /^(RTM_\w+|mkdir|write)$/.test(call))
  return { own: bare(tape), others: launches.filter(l => !byUs(l.tape)).map(l => bare(l.tape)) }
}

/**
 * A child that only opens something for us elsewhere: a netlink socket in a network namespace, for requests that are reported
 * as such; /proc in a mount namespace, for a check to look at; our own program on a read-only mount.
 */
const opensSomething = (calls: Seen[]) =>
  /^((prctl )?(setns )?(socket|openat)|open_tree mount_setattr) exit_group$/.test(
    calls.map(({ call }) => call).join(' '),
  )

describe.skipIf(lacking).each(users)(`as %s, strace sees what the tapes say${lacking}`, user => {
  test.each([3, ...thorough([1, 2, 4, 5, 6, 7])])('step %i', async step => {
    const folder = userFolder(user)
    const wrapper = straced(join(folder, 'trace'))
    const ran = await runMinilab(['step', String(step), '--json', '--yes'], { user, wrapper })
    expect(ran.stderr).toBe('')
    const [report] = ran.json()
    const { own, others } = told(report!)
    const all = launched(folder)
    expect(own.at(-1)).toEqual({ call: 'execve', result: null, errno: null })
    expect(all.map(({ calls }) => calls)).toContainEqual(own)
    const self = all.find(({ calls }) => JSON.stringify(calls) === JSON.stringify(own))!
    // step 7 also runs minilab's own commands: what those launch is not the step's to tell
    const rest = all.filter(child => child !== self && child.by === self.by).map(({ calls }) => calls)
    expect(rest.filter(calls => !opensSomething(calls))).toEqual(others)
  })
})
