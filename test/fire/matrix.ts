import { expect } from 'vitest'
import type { Report } from '../../lib/guide/step.ts'
import type { UserName } from '../support/minilab.ts'
import type { Ask, Ran } from './agent.ts'
import type { Fault } from './fault.ts'
import { makePlace, type Place } from './place.ts'

export const FAULTS = ['kill', 'ENOSPC', 'EMFILE', 'EPERM', 'ENOMEM'] as const satisfies Fault[]

/** An operation of a command that shall fail. */
export interface Case {
  args: string[]
  /** call and arguments, without what differs from run to run; and the how many-th of this name it is */
  operation: string
  fault: Fault
}

/** What is run before a command, so that it has something to work on; undefined: nothing. */
const FIRST: Record<string, string[]> = {
  'rm -f victim': ['run', '-d', '--name', 'victim', 'default', 'sleep', '1000'],
}

/** A place, and for each command the numbers that its operations have there (see fault.ts), by their names. */
export interface Range {
  place: Place
  numbers: Map<string, Map<string, string>>
}

/** Places that work side by side: in every second one, or in all, a container runs already, so some things are there and stay. */
export async function makeRanges(
  count: number,
  commands: string[][],
  user: UserName = 'root',
  resident: 'half' | 'all' = 'half',
): Promise<Range[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const place = await makePlace({ resident: resident === 'all' || i % 2 === 1, user })
      const numbers = new Map<string, Map<string, string>>()
      for (const args of commands) numbers.set(args.join(' '), await number(place, args))
      return { place, numbers }
    }),
  )
}

/** All that a command does, from a run without a fault. */
async function number(place: Place, args: string[]): Promise<Map<string, string>> {
  const ran = await place.ask({ args, first: FIRST[args.join(' ')], fault: 'count', next: 'clean here' })
  expect(ran, whatFailed(ran.stdout)).toMatchObject({
    status: 0,
    stderr: '',
    hangs: false,
    left: [],
    said: '',
  })
  const seen = new Map<string, number>()
  return new Map(
    ran.operations.map(line => {
      const [number = '', ...rest] = line.split('\t')
      const name = plain(rest.join(' ').replaceAll(place.data, 'DATA'))
      seen.set(name, (seen.get(name) ?? 0) + 1)
      return [`${name} #${seen.get(name)}`, number]
    }),
  )
}

/** Without marks, ids, pids, descriptors, addresses and times. */
const plain = (text: string) =>
  text
    .replace(/<<([0-9a-f]+) \1 printf '\\n%s %s\\n' \1/, "<<MARK printf '\\n%s %s\\n' MARK")
    .replace(/\b(?=[a-f]*\d)[0-9a-f]{6,}\b/g, 'ID')
    .replace(/\d+/g, 'N')

/**
 * The operations of a command in any of the places; `#1`: without those that only repeat another in other numbers; with
 * `wanted` those whose number it likes.
 */
export function operations(
  ranges: Range[],
  args: string[],
  which: 'all' | '#1',
  wanted: (number: string) => boolean = () => true,
): string[] {
  const found = ranges.flatMap(({ numbers }) => [...numbers.get(args.join(' '))!])
  const names = found.filter(([name, number]) => (which === 'all' || name.endsWith(' #1')) && wanted(number))
  return [...new Set(names.map(([name]) => name))]
}

export interface Row extends Case {
  ran: Ran
  /** what is wrong with it; empty where all is well */
  wrong: string[]
}

/** Does all cases, as many at once as there are places; the one after the other in places of both sorts. */
export async function tryAll(ranges: Range[], cases: Case[]): Promise<Row[]> {
  const rows: Row[] = []
  const waiting = [...cases]
  await Promise.all(
    ranges.map(async ({ place, numbers }) => {
      for (let done = 0; ; done++) {
        const at = waiting.findIndex(({ args, operation }) => numbers.get(args.join(' '))!.has(operation))
        const [one] = at === -1 ? [] : waiting.splice(at, 1)
        if (!one) return
        const number = numbers.get(one.args.join(' '))!.get(one.operation)!
        const next = NEXT[done % NEXT.length]!
        const ask = {
          args: one.args,
          first: FIRST[one.args.join(' ')],
          fault: `${one.fault}:${number}`,
          next,
        }
        let ran = await place.ask(ask)
        // how often the kernel is asked until it is ready differs, and with it the numbers of what follows
        for (let again = 0; again < 10 && !fired(ran) && ran.left.length === 0; again++)
          ran = await place.ask(ask)
        rows.push({ ...one, ran, wrong: judge(one, ran) })
        // a long run tells on its way what it finds
        if (cases.length > 1000 && rows.length % 100 === 0)
          console.log(`${rows.length} of ${cases.length}\n${complaints(rows.slice(-100))}`)
      }
    }),
  )
  return rows
}

/** Most often the cheapest; now and then the real thing, or a command that recovers on its way. */
const NEXT: Ask['next'][] = [
  ...Array.from({ length: 10 }, () => 'clean here' as const),
  ['clean'],
  ['run', '--rm', '--network', 'none', 'default', 'true'],
]

function judge({ operation, fault }: Case, ran: Ran): string[] {
  const wrong = ran.left.map(line => `left: ${line}`)
  if (ran.hangs) wrong.push('it hangs')
  if (ran.said) wrong.push(ran.said)
  if (!fired(ran)) wrong.push('the operation did not come')
  else if (fault !== 'kill') wrong.push(...refusal(operation, fault, ran))
  return wrong
}

const FIRED = /^\d+\/fired\t/
const fired = ({ operations }: Ran) => operations.some(line => FIRED.test(line))

/** A refusal is told in one line: what was refused, why, and what to do. And everything was taken back at once. */
function refusal(operation: string, fault: Fault, ran: Ran): string[] {
  const { status, stderr, stdout, atOnce, logged } = ran
  const wrong: string[] = []
  // what could not be taken back then, is later
  if (!isTakingBack(ran) && status !== 0) wrong.push(...atOnce.map(line => `left at once: ${line}`))
  if (status === null) return [...wrong, 'it was killed']
  const isLine = (text: string) => /^minilab: .+: .+\n$/.test(text) && text.includes(fault)
  if (status !== 0 && isLine(stderr)) return wrong
  // an experiment of a step has failed: then its check says so
  if (status === 1 && isReport(stdout) && !(JSON.parse(stdout) as Report).ok) return wrong
  if (status !== 0) return [...wrong, `status ${status}, and it says: ${stderr || stdout.slice(0, 500)}`]
  // what cannot be taken back keeps no container from running, and is said all the same
  if (isTakingBack(ran) && isLine(stderr)) return wrong
  if (stderr) wrong.push(`status 0, and it says: ${stderr}`)
  // the process that looks after a container in the background says it where the container's own words go, too
  if (isLine(logged)) return wrong
  if (!needless(operation, fault, stdout)) wrong.push('nobody noticed')
  return wrong
}

const TAKES_BACK =
  /^(rmdir|unlink|rm|pidfd_send_signal|RTM_DELLINK|spawnSync \S+ (delete|list)|writeFile \S+(freezer.state|forwarding))/

/** Whether it befell an operation by which things are taken back: by its name, or because others of these were before it. */
function isTakingBack({ operations }: Ran): boolean {
  const at = operations.findIndex(line => FIRED.test(line))
  const done = operations.slice(0, at).map(line => line.split('\t').slice(1).join(' '))
  return done.some(name => /^(rmdir|RTM_DELLINK) /.test(name)) || TAKES_BACK.test(done.at(-1) ?? '')
}

/** Of a step's report what did not hold, and else what was printed. */
function whatFailed(stdout: string): string {
  if (!isReport(stdout)) return stdout
  const { checks, host, refused } = JSON.parse(stdout) as Report
  return JSON.stringify(
    { failed: checks.filter(({ ok }) => ok === false), left: host.left, refused },
    null,
    1,
  )
}

const isReport = (stdout: string) => stdout.startsWith('{')

/** What a command can do without. */
const NEEDLESS = [
  // most images have these already; a container without them starts all the same
  /^(mkdirat|mknodat|symlinkat) .* \w+$/,
  // a user namespace may deny it, and there is nothing to do about that
  /^setgroups .* \w+$/,
  // where it may not be seen whether stdout and stderr are one file, they are two
  /^kcmp .* EPERM$/,
  // a search along PATH goes on
  /^execve .* \w+$/,
  // step 6: the socket that waits for the first datagram, which cannot even be sent; the child that has tried ends with that
  /^(bind ,|exit_group) .* \w+$/,
  // a viewer that comes while nothing happens is seen with the next event
  /^watch DATA\/containers .* \w+$/,
  // where there is no room for a new file, the state of a container that has ended is written over the old one
  /^(rm|open) DATA\/containers\/ID\/state\.json\.new\b.* ENOSPC$/,
  /^(rename|writeFile) DATA\/containers\/ID\/state\.json\.new\b.* #2 ENOSPC$/,
  // a full disk has no room for the ledger of a removal: rm makes room without it; the kernel gives the other two no such errno
  /^(open|appendFile) DATA\/ledger\/.* ENOSPC$/,
  /^(pidfd_open N, N #2|flock N, LOCK_EX #1) ENOSPC$/,
  // where it cannot be seen whether a rule may drop forwarded packets, iptables is asked
  /^NFT_MSG_GETCHAIN .* \w+$/,
  // what is covered need not be there, and EPERM cannot be told from that: see Tape.ifThere
  /^mount .* EPERM$/,
]

/** Whether nobody need notice that something was refused: or else a step says that a stage is limited. */
function needless(operation: string, fault: Fault, stdout: string): boolean {
  if (isReport(stdout) && (JSON.parse(stdout) as Report).limited.length > 0) return true
  return NEEDLESS.some(pattern => pattern.test(`${operation} ${fault}`))
}

/** The table of a run: how many operations of each call were tried with each fault, and what was left. */
export function table(rows: Row[]): string {
  const calls = Map.groupBy(rows, ({ operation }) => operation.split(' ')[0]!)
  const line = (name: string, group: Row[]) => {
    const cells = FAULTS.map(fault => {
      const tried = group.filter(row => row.fault === fault)
      return String(tried.length || '·').padStart(7)
    })
    const left = group.reduce((sum, { ran }) => sum + ran.left.length, 0)
    const bad = group.filter(({ wrong }) => wrong.length > 0).length
    return `${name.padEnd(20)}${cells.join('')}${String(left).padStart(7)}${bad ? `   ${bad} wrong` : ''}`
  }
  const head = `${'operation'.padEnd(20)}${FAULTS.map(fault => fault.padStart(7)).join('')}${'left'.padStart(7)}`
  return [head, ...[...calls].sort().map(([call, group]) => line(call, group)), line('all', rows)].join('\n')
}

/** What is wrong, one paragraph for each case. */
export function complaints(rows: Row[]): string {
  return rows
    .filter(({ wrong }) => wrong.length > 0)
    .map(({ args, operation, fault, wrong }) =>
      [`${args.join(' ')} · ${operation} · ${fault}`, ...wrong].join('\n    '),
    )
    .join('\n')
}
