import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { MinilabError } from '../common/errors.ts'
import { readJson } from '../common/json.ts'
import {
  count,
  integer,
  listOf,
  mapOf,
  object,
  type Of,
  optional,
  positive,
  text,
  texts,
} from '../common/shape.ts'
import { ifReadable, isAlive, unlessGone } from '../kernel/process/procfs.ts'

// The state of the runtime's containers: a folder for each in --root. Two commands exclude each other by what the kernel does at once
// (mkdir, rename), not by a lock: a killed command cannot leave one held, and `state`, `kill` and `delete` need no call that Node lacks.

const hook = object({
  path: text,
  args: optional(texts),
  env: optional(texts),
  /** in seconds */
  timeout: optional(positive),
})
export type Hook = Of<typeof hook>
export const hooks = object({
  prestart: optional(listOf(hook)),
  createRuntime: optional(listOf(hook)),
  createContainer: optional(listOf(hook)),
  startContainer: optional(listOf(hook)),
  poststart: optional(listOf(hook)),
  poststop: optional(listOf(hook)),
})
export type Hooks = Of<typeof hooks>

const isState = object({
  ociVersion: text,
  id: text,
  pid: positive,
  /** when that process began, in clock ticks since boot */
  started: count,
  /** identifies the current boot */
  boot: text,
  bundle: text,
  rootfs: text,
  created: text,
  annotations: optional(mapOf(text)),
  /** its cgroup in each hierarchy */
  cgroups: listOf(object({ path: text, version: integer, controllers: texts })),
  hooks: optional(hooks),
})

/** What `create` has recorded about a container. */
export type State = Of<typeof isState>
export type Status = 'created' | 'running' | 'paused' | 'stopped'

/** The errors' texts are those of runc, which engines look for: libcontainer/error.go. */
const doesNotExist = () => new MinilabError('usage', 'container does not exist', 'list shows those that do')

/** The folder of a container. Throws for an id that could lead out of `root`. */
export function folderOf(root: string, id: string): string {
  if (id === '.' || id === '..' || !/^[\w+.-]+$/.test(id))
    throw new MinilabError(
      'usage',
      `invalid container ID format: ${JSON.stringify(id)}`,
      'use letters, digits and _ + . -',
    )
  return join(root, id)
}

/** Whether there is a state that can be read. */
export const isRecorded = (root: string, id: string): boolean => stateIn(folderOf(root, id)) !== undefined

/** The state of a container. Throws if there is none. */
export function load(root: string, id: string): State {
  const state = stateIn(folderOf(root, id))
  if (!state) throw doesNotExist()
  return state
}

function stateIn(folder: string): State | undefined {
  const state = unlessGone(() => readJson(join(folder, 'state.json'), isState))
  return typeof state === 'object' ? state : undefined
}

/** All containers, by their ids. */
export function loadAll(root: string): State[] {
  const names = unlessGone(() => readdirSync(root)) ?? []
  return names.toSorted().flatMap(name => stateIn(join(root, name)) ?? [])
}

/** Whether the container's first process runs, and is no zombie. */
export const lives = ({ pid, started, boot }: State): boolean => boot === bootOf() && isAlive(pid, started)

const bootOf = () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8)

export function statusOf(root: string, state: State): Status {
  if (!lives(state)) return 'stopped'
  if (isPaused(state)) return 'paused'
  return isWaiting(root, state) ? 'created' : 'running'
}

/** The FIFO that starts a container, under the name of the command that has claimed it: only one rename(2) can succeed. */
const CLAIMED = /^start\.(\d+)-(\d+)$/

/** The name under which the FIFO may be claimed: its own, or that of a command that died before it used it. Undefined if it is started. */
export function startFifo(root: string, state: State): string | undefined {
  const folder = folderOf(root, state.id)
  if (existsSync(join(folder, 'start'))) return join(folder, 'start')
  for (const name of unlessGone(() => readdirSync(folder)) ?? []) {
    const [, pid, started] = CLAIMED.exec(name) ?? []
    if (pid && !isAlive(Number(pid), Number(started)) && isSecondStage(state)) return join(folder, name)
  }
  return undefined
}

const isWaiting = (root: string, state: State) => startFifo(root, state) !== undefined

/** Whether the process is still the tape in memory, and not the container's program. */
const isSecondStage = ({ pid }: State) =>
  ifReadable(() => readlinkSync(`/proc/${pid}/exe`))?.startsWith('/memfd:minilab ') ?? false

/** The directory of its cgroup that can freeze it. */
export const freezerOf = ({ cgroups }: State) =>
  cgroups.find(({ version, controllers }) => version === 1 && controllers.includes('freezer')) ??
  cgroups.find(({ version }) => version === 2)

function isPaused(state: State): boolean {
  const freezer = freezerOf(state)
  if (!freezer) return false
  const [file, none] = freezer.version === 1 ? ['freezer.state', 'THAWED'] : ['cgroup.freeze', '0']
  return (unlessGone(() => readFileSync(join(freezer.path, file), 'utf8').trim()) ?? none) !== none
}

/** All processes of a container, also those in cgroups that it made itself; without a cgroup only its first is known. */
export function pidsOf(state: State): number[] {
  const [first] = state.cgroups
  return first ? pidsBelow(first.path) : lives(state) ? [state.pid] : []
}

function pidsBelow(path: string): number[] {
  const own = unlessGone(() => readFileSync(join(path, 'cgroup.procs'), 'utf8')) ?? ''
  const below = (unlessGone(() => readdirSync(path, { withFileTypes: true })) ?? []).filter(entry =>
    entry.isDirectory(),
  )
  return [
    ...own.split('\n').filter(Boolean).map(Number),
    ...below.flatMap(({ name }) => pidsBelow(join(path, name))),
  ]
}

/** What the description of a container needs. */
export type Described = Pick<State, 'ociVersion' | 'id' | 'pid' | 'bundle' | 'annotations'>

/** The state as runtime-spec's runtime.md has it: `state` prints it, and hooks read it. */
export function described(
  { ociVersion, id, pid, bundle, annotations }: Described,
  status: Status | 'creating',
) {
  return {
    ociVersion,
    id,
    status,
    ...(status !== 'stopped' && { pid }),
    bundle,
    ...(annotations && { annotations }),
  }
}
