import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, inject, onTestFinished } from 'vitest'
import type { Report } from '../../lib/guide/step.ts'
import { removeTree } from '../../lib/image/tree.ts'
import { Warm } from './warm.ts'

const ENTRY = join(import.meta.dirname, '../../bin.mjs')
export const isRoot = process.geteuid?.() === 0
/** Who an ordinary user is, where the tests run as root. */
export const ORDINARY = { uid: 65534, gid: 65534 }

/** The compiled code that the ordinary user's runs share: as a HOME would have it that lasts longer than one test. */
const CACHE = join(import.meta.dirname, '../../node_modules/.cache/v8-ordinary')
if (isRoot) {
  mkdirSync(CACHE, { recursive: true })
  chownSync(CACHE, ORDINARY.uid, ORDINARY.gid)
}

/** How a process of a user's is started: nothing to change for who runs the tests. */
export type Identity = { uid: number; gid: number } | Record<string, never>
export const identity = (user: UserName): Identity => (isRoot && user === 'ordinary' ? ORDINARY : {})

/** Who runs minilab: whoever runs the tests, and beside root an ordinary user. */
export type UserName = 'root' | 'ordinary'
export const self: UserName = isRoot ? 'root' : 'ordinary'
export const allUsers: UserName[] = isRoot ? ['root', 'ordinary'] : ['ordinary']

/** Of the ways in which the same tests can run those that the project asks for (vitest.config.ts): the first, the others, or all. */
export function modesOf<T>(modes: readonly T[]): T[] {
  const { MINILAB_TEST_MODES: wanted } = process.env
  return wanted === 'first' ? modes.slice(0, 1) : wanted === 'others' ? modes.slice(1) : [...modes]
}

export const users = modesOf(allUsers)

/** For tests of what `npm test` has seen once already, in another case: none there, in CI all of them. */
export const thorough = <T>(cases: readonly T[]): T[] => few(0, cases)

/** Of cases of one kind, such as wrong words: the first ones in `npm test`, in CI all of them. */
export const few = <T>(count: number, cases: readonly T[]): T[] =>
  process.env.MINILAB_TEST_CASES === 'some' ? cases.slice(0, count) : [...cases]

export interface Printed {
  status: number | null
  stdout: string
  stderr: string
}

export interface Ran extends Printed {
  /** the documents that `--json` printed, one a line */
  json(): Report[]
}

export interface RunOptions {
  user?: UserName
  /** the data folder; one of the test's own, with the default image where the command needs it, removed after it, unless given */
  data?: string
  env?: NodeJS.ProcessEnv
  /** a command in front of it, such as unshare */
  wrapper?: string[]
  /** in a process of its own, also in `npm test`: what a command finds out about its data folder is kept while the process lives */
  alone?: boolean
}

/** A folder of a user's own, removed after the test. */
export function userFolder(user: UserName = self): string {
  const folder = makeUserFolder(user)
  onTestFinished(() => removeTree(folder))
  return folder
}

/** A data folder of a user's own that has the default image already, as if they had used it before; removed after the test. */
export function userData(user: UserName = self): string {
  const folder = userFolder(user)
  fillData(folder, user)
  return folder
}

/** One data folder for each user, for all tests of a file that leave nothing in it; removed after the last of them. */
export function sharedData(): Record<UserName, string> {
  const [root, ordinary] = [self, allUsers.at(-1)!].map(user => {
    const folder = makeUserFolder(user)
    fillData(folder, user)
    afterAll(() => removeTree(folder))
    return folder
  }) as [string, string]
  return { root, ordinary }
}

/** Puts the default image into a data folder: a copy of what image-once.ts has made. */
export function fillData(folder: string, user: UserName = self): void {
  execFileSync('sh', ['-c', FILL, inject('images')[user], folder])
}

/** Of its 300 files 270 are symbolic links, which nobody can change in place: shared as hard links, it takes half the time. */
const FILL = 'cd "$0" && find . -type f -exec cp -a --parents -t "$1" {} + && cp -aln . "$1"'

/** A folder of a user's own, for several tests; whoever makes it removes it. */
export function makeUserFolder(user: UserName): string {
  const folder = mkdtempSync(join(tmpdir(), 'minilab-test-'))
  chmodSync(folder, 0o755)
  if (isRoot && user === 'ordinary') chownSync(folder, ORDINARY.uid, ORDINARY.gid)
  return folder
}

/** The commands that start containers of the default image. */
const NEEDS_IMAGE = ['run', 'step', 'escape', 'quiz', 'check', 'dev', 'doctor']

/** The environment in which a user's minilab runs. */
export const environment = (user: UserName, data: string): NodeJS.ProcessEnv => ({
  ...process.env,
  HOME: data,
  MINILAB_DATA: data,
  ...(isRoot && user === 'ordinary' && { NODE_COMPILE_CACHE: CACHE }),
})

/** What `npm test` runs in processes that have run others before (warm.ts). In CI's other tests each is a process of its own. */
const WARM = 'run exec ps kill rm logs step init lab check hint diff solution progress reset'.split(' ')
const warm: Record<UserName, Warm[]> = { root: [], ordinary: [] }

/** Runs `minilab ARGS` to its end, with nothing on its stdin. */
export async function runMinilab(
  args: string[],
  {
    user = self,
    data = NEEDS_IMAGE.includes(args[0] ?? '') ? userData(user) : userFolder(user),
    env = {},
    wrapper = [],
    alone = process.env.MINILAB_TEST_CASES !== 'some',
  }: RunOptions = {},
): Promise<Ran> {
  const whole = { ...environment(user, data), ...env }
  const isPlain = Object.keys(env).every(name => name === 'MINILAB_WORKSPACE') && wrapper.length === 0
  const isWarm = !alone && isPlain && WARM.includes(args[0] ?? '')
  const { status, stdout, stderr } = await (isWarm
    ? runWarm(user, args, whole)
    : runAlone(user, [...wrapper, process.execPath, ENTRY, ...args], whole))
  const json = () =>
    stdout
      .split('\n')
      .filter(Boolean)
      .map(line => JSON.parse(line) as Report)
  return { status, stdout, stderr, json }
}

async function runAlone(user: UserName, words: string[], env: NodeJS.ProcessEnv): Promise<Printed> {
  const [command = '', ...rest] = words
  const child = spawn(command, rest, { cwd: '/', stdio: ['ignore', 'pipe', 'pipe'], env, ...identity(user) })
  const ended = once(child, 'exit') as Promise<[number | null]>
  const [stdout, stderr, [status]] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  return { status, stdout, stderr }
}

/** In a process that is free: a test may run several commands at once. */
async function runWarm(user: UserName, args: string[], env: NodeJS.ProcessEnv): Promise<Printed> {
  const free = warm[user].pop()
  const runner = free?.isThere ? free : new Warm(identity(user), env)
  const printed = await runner.run(args, env)
  warm[user].push(runner)
  return printed
}

/** What a step has left on the host. Cgroups that others make and remove in the meantime (sessions, services) are not its own. */
export function left(report: Report): string[] {
  return report.host.left.filter(line => !line.includes(' cgroup ') || line.includes('/minilab'))
}
