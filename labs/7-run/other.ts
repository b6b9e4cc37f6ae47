import { randomInt } from 'node:crypto'
import { certain } from '../../lib/common/certain.ts'
import type { Ran } from '../../chapters/7-run/commands.ts'
import type { Part } from '../../lib/container/part.ts'
import type { Spec } from '../../lib/container/spec.ts'
import type { Experiment } from '../../lib/guide/experiment.ts'
import { type Refusal, refusalOf } from '../../lib/guide/refusal.ts'
import {
  type Capability,
  defaultCapabilities,
  type ProcessCapabilities,
} from '../../lib/kernel/process/capabilities.ts'
import { writeControl } from '../../lib/kernel/cgroup/control-file.ts'
import { namespaceInode, status } from '../../lib/kernel/process/procfs.ts'
import type { Replayed } from '../../lib/kernel/tape/tape.ts'
import { explainRefused, type Latest } from './refused.ts'

/** Another container, and what it asks for. */
export interface Other {
  uid: number
  gid: number
  /** none if its specification lists none */
  additionalGids: number[]
  capabilities: ProcessCapabilities
  pid: number
  /** the calls of its hardening part */
  tape: Replayed[]
}

/** Together they differ from the first container in everything that a specification may ask for. */
export interface Others {
  /** whether their user namespaces have only one id: then their user and group stay root */
  alone: boolean
  /** another user, in further groups; asks neither for no_new_privs nor for a umask, and has no profile */
  user: Other
  /** root with another group; asks for a umask of 0, and for fewer capabilities in each set than in the set before; no profile */
  root: Other
  /** another user with the profile and no_new_privs; the specification lists no capabilities */
  filtered: Other
  /** why one of them did not start */
  refusal?: Refusal
}

const UMASKS = [0o012, 0o032, 0o042, 0o052, 0o062, 0o072]
/** A umask that nothing else has, for the first container. */
export const rareUmask = () => certain(UMASKS[randomInt(UMASKS.length)])

/**
 * These would hide mistakes: CAP_CHOWN (number 0) a loop that begins at 1, CAP_SETPCAP a capset before the drops. And a shell
 * that has the other two changes its user itself.
 */
const NOT_ASKED = ['CAP_CHOWN', 'CAP_SETPCAP', 'CAP_SETUID', 'CAP_SETGID']
const CHOICE = defaultCapabilities.filter(name => !NOT_ASKED.includes(name))
const KEPT = 4

function someCapabilities(): Capability[] {
  const from = randomInt(CHOICE.length - KEPT + 1)
  return CHOICE.slice(from, from + KEPT)
}

/** Other values each time, so that only the specification has them. */
function ask(alone: boolean): Others {
  const [uid, own, less] = [randomInt(2000, 30_000), someCapabilities(), someCapabilities()]
  const gid = uid + randomInt(1, 1000)
  const other = (
    uid: number,
    gid: number,
    capabilities: ProcessCapabilities,
    additionalGids: number[] = [],
  ) =>
    alone
      ? { uid: 0, gid: 0, additionalGids: [], capabilities, pid: 0, tape: [] }
      : { uid, gid, additionalGids, capabilities, pid: 0, tape: [] }
  // capabilities(7): a user other than root keeps none across execve
  const held = alone ? own : []
  return {
    alone,
    user: other(uid, gid, { bounding: own, permitted: held, effective: held }, [gid + 1000, gid + 2000]),
    root: other(0, gid, { bounding: less, permitted: less.slice(1), effective: less.slice(2) }),
    filtered: other(uid + 1, gid + 1, {}),
  }
}

/** What each asks for in addition; everything else is as in the first container. */
const ASKS: Record<'user' | 'root' | 'filtered', (spec: Spec) => void> = {
  user({ process, linux }) {
    // the key exists and its value is undefined: this asks for nothing
    process.noNewPrivileges = undefined
    delete process.user.umask
    delete linux.seccomp
  },
  root({ process, linux }) {
    process.user.umask = 0
    delete linux.seccomp
  },
  filtered() {},
}

/** A group that only we are in, and that none of them asks for. */
const OURS = 60_999

/** Starts them from these parts. A refused call is kept for the checks, which know its task. */
export async function startOthers(
  experiment: Experiment<Ran>,
  parts: readonly Part[],
  latest: Latest,
): Promise<Others> {
  const others = ask(experiment.options.rootless)
  const before = groups()
  try {
    // only root may choose groups; without them no check could see whether the child has left them
    if (!others.alone) process.setgroups?.([...before, OURS])
    for (const name of ['user', 'root', 'filtered'] as const)
      others[name] = await start(experiment, parts, others[name], ASKS[name])
    return others
  } catch (error) {
    const refusal = refusalOf(explainRefused(error, latest))
    if (!refusal) throw error
    return { ...others, refusal }
  } finally {
    if (!others.alone) process.setgroups?.(before)
  }
}

const groups = () => (status('self').Groups ?? '').split(' ').filter(Boolean).map(Number)

async function start(
  experiment: Experiment<Ran>,
  parts: readonly Part[],
  other: Other,
  change: (spec: Spec) => void,
): Promise<Other> {
  const { uid, gid, additionalGids, capabilities } = other
  const { pid, tape } = await experiment.another('a container that asks for other values', {
    parts,
    change({ spec }) {
      Object.assign(spec.process.user, { uid, gid })
      if (additionalGids.length > 0) spec.process.user.additionalGids = additionalGids
      spec.process.capabilities = structuredClone(capabilities)
      change(spec)
    },
  })
  return { ...other, pid, tape: tape.filter(({ part }) => part === 'hardening') }
}

/** The namespaces part of a container that may not choose groups, as when an ordinary user makes it: user_namespaces(7). */
export const withoutGroups = (part: Part): Part => ({
  ...part,
  async attach(container, pid) {
    const isOwn = namespaceInode(pid, 'user') !== namespaceInode('self', 'user')
    if (isOwn) writeControl(`/proc/${pid}/setgroups`, 'deny')
    await part.attach?.(container, pid)
  },
})
