// Works inside an isolated place, for place.ts: it runs minilab with a fault, then what somebody would run next, and tells
// what differs from before. One process for many runs, because a look by a process of its own takes longer than many a run.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, lstatSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { clean } from '../../lib/container/state/clean.ts'
import { findProgram } from '../../lib/container/net/rule-tool.ts'
import { isRunning, states } from '../../lib/container/state/state.ts'
import type { State } from '../../lib/container/state/state-shape.ts'
import { LogReader } from '../../lib/container/streams/log.ts'
import { difference } from '../../lib/guide/host-state.ts'
import { dataFolder } from '../../lib/image/data-folder.ts'
import { hierarchies } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { mountinfo } from '../../lib/kernel/mount/mountinfo.ts'
import { ifReadable, pids, processExists, unlessGone, nulSeparated } from '../../lib/kernel/process/procfs.ts'
import { findProcess, send } from '../../lib/kernel/process/signal.ts'

/** One run of minilab, and what somebody does next. */
export interface Ask {
  args: string[]
  /** what is run before it, without a fault: what it is done with */
  first?: string[] | undefined
  /** see fault.ts */
  fault?: string
  /** milliseconds until it is killed */
  killAfter?: number
  /** which process is killed then: the one that was started, or those that it has started itself */
  victim?: 'first' | 'others'
  /** `clean here`: as `minilab clean` does, without the start of a process; else a command of minilab's */
  next?: 'clean here' | string[]
}

/** What came of it. */
export interface Ran {
  status: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
  /** it did not end */
  hangs: boolean
  ms: number
  /** a line for each operation: id, call and arguments, separated by tabs */
  operations: string[]
  /** what differed from before when it had ended */
  atOnce: string[]
  /** what the next command had to complain of */
  said: string
  /** what differs from before after the next command, and after `rm -f` of containers that were made properly */
  left: string[]
  containers: number
  /** what the keepers of these wrote to their logs: nobody else is there whom they could tell */
  logged: string
}

const ENTRY = join(import.meta.dirname, '../../bin.mjs')
const FAULT = join(import.meta.dirname, './fault.ts')
const HANG = 60_000 // ms
const SETTLE_LIMIT = 10_000 // ms until the kernel has taken back what goes with a process: links, namespaces

/** Everything here that a command could leave or lose. */
function look(): Set<string> {
  return new Set([
    ...processes(),
    ...mounts(),
    ...cgroups(),
    ...links(),
    ...settings(),
    ...rules(),
    ...files(dataFolder()),
  ])
}

const processes = () =>
  pids().flatMap(pid => {
    if (pid === process.pid || !processExists(pid)) return []
    const command = unlessGone(() => nulSeparated(`/proc/${pid}/cmdline`))
    return command ? [`process ${pid} ${command.slice(0, 4).join(' ')}`] : []
  })
// other programs' mounts, of which this place has copies: they go from every mount namespace when their folder is removed: detach_mounts(), fs/namespace.c
const theirs = new Set(mountinfo().flatMap(({ target }) => (target.startsWith('/tmp/') ? target : [])))
const mounts = () =>
  mountinfo()
    .filter(({ target }) => !theirs.has(target))
    .map(m => `mount ${m.type} on ${m.target}`)
const cgroups = () => hierarchies().flatMap(({ mount }) => folders(mount).map(path => `cgroup ${path}`))
const folders = (path: string): string[] =>
  readdirSync(path, { withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .flatMap(({ name }) => [join(path, name), ...folders(join(path, name))])
const links = () =>
  [...readFileSync('/proc/self/net/dev', 'utf8').matchAll(/^ *(\S+):/gm)].map(m => `link ${m[1]}`)
const CONF = '/proc/sys/net/ipv4/conf'
const settings = () =>
  readdirSync(CONF).flatMap(link => {
    const path = join(CONF, link, 'forwarding')
    const value = unlessGone(() => readFileSync(path, 'utf8').trim()) // it goes with its link
    return value === undefined ? [] : [`${path} = ${value}`]
  })
const list = (path: string) => ifReadable(() => readdirSync(path)) ?? [] // not so overlay's work folder, as an ordinary user
const nft = findProgram('nft')
const rules = () => (nft ? spawnSync(nft, ['list', 'ruleset'], { encoding: 'utf8' }).stdout.split('\n') : [])
const files = (path: string): string[] =>
  list(path).flatMap(name => {
    const file = join(path, name)
    const stat = lstatSync(file, { throwIfNoEntry: false })
    if (!stat) return [] // gone meanwhile
    if (stat.isDirectory()) return [`folder ${file} ${stat.mode.toString(8)}`, ...files(file)]
    return [`file ${file} ${stat.mode.toString(8)} ${stat.size} ${stat.mtimeMs}`]
  })

async function minilab(
  args: string[],
  env: NodeJS.ProcessEnv = {},
  { killAfter, victim }: Partial<Ask> = {},
) {
  const began = performance.now()
  const child = spawn(process.execPath, [ENTRY, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    cwd: '/',
  })
  const others = () => ours(/ minilab-(monitor|log|forwarder)$/).filter(pid => pid !== child.pid)
  const victims = () => (victim === 'others' ? others() : [child.pid!])
  let hangs = false
  const timers = [
    setTimeout(() => (hangs = child.kill('SIGKILL')), HANG),
    ...(killAfter === undefined ? [] : [setTimeout(() => victims().forEach(kill), killAfter)]),
  ]
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  const [stdout, stderr, [status, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    ended,
  ])
  timers.forEach(clearTimeout)
  return { status, signal, stdout, stderr, hangs, ms: performance.now() - began }
}

function kill(pid: number): void {
  const pidfd = findProcess(pid)
  if (pidfd === undefined) return
  send(pidfd, 'SIGKILL')
  closeSync(pidfd)
}

/** Waits until something holds; the kernel has no event for it. False where it does not come to that. */
async function eventually(holds: () => boolean): Promise<boolean> {
  const deadline = performance.now() + SETTLE_LIMIT
  while (!holds()) {
    if (performance.now() > deadline) return false
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  return true
}

let before = new Set<string>()
let residents = new Set<string>()

/** Processes of minilab's that were not there before: of Node, or whose name is such. */
const ours = (name?: RegExp) =>
  processes()
    .filter(line => !before.has(line) && (line.includes(ENTRY) || name?.test(line)))
    .map(line => Number(line.split(' ')[1]))
const keepers = () => ours()

/** Waits for a keeper that `run -d` has left in the background: it comes to its end, or looks after its container. */
async function settled(): Promise<void> {
  const looksAfter = (pid: number) => states().some(state => state.keeper.pid === pid && !state.exit)
  await eventually(() => keepers().every(looksAfter))
}

/** A container that `minilab run` has made properly: it is no leftover, and `minilab rm` takes it away. */
const isTheirs = (line: string, state: State) =>
  line.includes(`/containers/${state.id}`) || (state.log !== null && line.includes(state.log))

/** What the next command leaves, waited for as long as the kernel may need. */
async function leftovers(): Promise<string[]> {
  let left: string[] = []
  await eventually(() => {
    const made = states().filter(({ id }) => !residents.has(id))
    if (made.some(isRunning)) return true // it runs: `rm -f` is next
    left = difference(before, look()).filter(line => !made.some(state => isTheirs(line, state)))
    return left.length === 0
  })
  return left
}

async function run({ args, first, fault, next, ...when }: Ask): Promise<Ran> {
  if (first) {
    const { status, stderr } = await minilab(first)
    if (status !== 0) throw new Error(`${first.join(' ')} ended with ${status}: ${stderr}`)
  }
  const log = `${dataFolder()}.operations`
  rmSync(log, { force: true })
  const env = {
    NODE_OPTIONS: `--import ${FAULT}`,
    MINILAB_FAULT: fault,
    MINILAB_FAULT_LOG: log,
  }
  const ran = await minilab(args, fault === undefined ? {} : env, when)
  await settled()
  // what was there before it may still be there
  const atOnce = first
    ? []
    : difference(before, look()).filter(line => !states().some(state => isTheirs(line, state)))
  // what somebody does next
  let said = ''
  if (next === 'clean here') {
    const { removed, kept, failed } = await clean(dataFolder())
    said = failed ? `clean failed: ${JSON.stringify({ removed, kept })}` : ''
  } else if (next) {
    const { status, stdout, stderr } = await minilab(next)
    if (status !== 0) said = `${next.join(' ')} ended with ${status}: ${stdout}${stderr}`
  }
  const left = await leftovers()
  // what has become a proper container goes the proper way
  const made = states().filter(({ id }) => !residents.has(id))
  // `rm` unlinks them; a keeper that could not tell the id has done so itself
  const logs = made.flatMap(({ log }) => (log && unlessGone(() => openSync(log, 'r'))) || [])
  if (made.length > 0) {
    const { status, stderr } = await minilab(['rm', '-f', ...made.map(({ id }) => id)])
    // one whose `run -d` was killed before it knew the id takes itself back
    if (status !== 0 && !stderr.includes('there is no container'))
      said += `rm -f ended with ${status}: ${stderr}`
    left.push(...(await leftovers()))
  }
  const logged = logs.map(messagesIn).join('')
  logs.forEach(fd => closeSync(fd))
  const operations = fault === undefined ? [] : readFileSync(log, 'utf8').trimEnd().split('\n')
  rmSync(log, { force: true })
  return { ...ran, operations, atOnce, said, left, containers: made.length, logged }
}

/** What is in a log besides what the container's program wrote. */
function messagesIn(fd: number): string {
  using reader = new LogReader(`/proc/self/fd/${fd}`)
  const parts: string[] = []
  for (const { time, text, ends } of reader.records(true))
    if (time === '') parts.push(text.toString() + (ends ? '\n' : ''))
  return parts.join('')
}

const answer = (value: unknown) => process.stdout.write(JSON.stringify(value) + '\n')
for await (const line of createInterface({ input: process.stdin })) {
  const ask = JSON.parse(line) as Ask | 'begin'
  if (ask === 'begin') {
    mkdirSync(join(dataFolder(), 'logs'), { recursive: true }) // made at the first `run -d`, and then it stays
    before = look()
    residents = new Set(states().map(({ id }) => id))
    answer(null)
  } else answer(await run(ask))
}
