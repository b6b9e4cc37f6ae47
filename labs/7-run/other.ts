import { randomInt } from 'node:crypto'
import type { Ran } from '../../chapters/7-run/commands.ts'
import type { Part } from '../../lib/container/part.ts'
import type { Spec } from '../../lib/container/spec.ts'
import type { Lab } from '../../lib/guide/lab.ts'
import { type Refusal, refusalOf } from '../../lib/guide/refusal.ts'
import { type Capability, defaultCapabilities } from '../../lib/kernel/capabilities.ts'
import { writeControl } from '../../lib/kernel/control-file.ts'
import { namespaceInode } from '../../lib/kernel/procfs.ts'
import type { Replayed } from '../../lib/kernel/tape.ts'

/** A second container, and what it asks for. */
export interface Other {
  uid: number
  gid: number
  additionalGids: number[]
  /** its bounding set */
  capabilities: readonly Capability[]
  /** whether its user namespace has one id: then its user stays root */
  alone: boolean
  pid: number
  /** a third container, which asks for no_new_privs and has no profile */
  third: number
  /** the calls of its hardening part */
  tape: Replayed[]
  /** why it did not start */
  refused?: Refusal
}

const UMASKS = [0o012, 0o032, 0o042, 0o052, 0o062, 0o072]
/** A umask that nothing else has, for the first container; this one asks for none. */
export const rareUmask = () => UMASKS[randomInt(UMASKS.length)]!

/**
 * Those would hide mistakes: CAP_CHOWN, number 0, a loop that begins at 1, CAP_SETPCAP a capset before the drops; and a shell
 * that has the other two changes its user by itself.
 */
const NOT_ASKED = ['CAP_CHOWN', 'CAP_SETPCAP', 'CAP_SETUID', 'CAP_SETGID']
const CHOICE = defaultCapabilities.filter(name => !NOT_ASKED.includes(name))
const KEPT = 4

/** Other values each time: so only the specification tells them. */
function ask(): Other {
  const uid = randomInt(2000, 30_000)
  const gid = uid + randomInt(1, 1000)
  const from = randomInt(CHOICE.length - KEPT + 1)
  return {
    uid,
    gid,
    additionalGids: [gid + 1000, gid + 2000],
    capabilities: CHOICE.slice(from, from + KEPT),
    alone: false,
    pid: 0,
    third: 0,
    tape: [],
  }
}

/** Starts both. A refused call is kept for the checks, which know the task that it belongs to. */
export async function startOther(lab: Lab<Ran>): Promise<Other> {
  const other = ask()
  try {
    const box = await lab.another('a container that asks for other values', {
      change: ({ spec }) => change(spec, other),
    })
    const third = await lab.another('a container that asks for no_new_privs, and has no profile', {
      change({ spec }) {
        spec.process.noNewPrivileges = true
        delete spec.linux.seccomp
      },
    })
    return { ...other, pid: box.pid, third: third.pid, tape: box.tape.filter(({ part }) => part === 'hardening') }
  } catch (error) {
    const refused = refusalOf(error)
    if (!refused) throw error
    return { ...other, refused }
  }
}

function change({ process, linux }: Spec, other: Other): void {
  const { uid, gid, additionalGids, capabilities } = other
  other.alone = linux.uidMappings?.[0]?.size === 1
  delete process.user.umask
  if (!other.alone) Object.assign(process.user, { uid, gid, additionalGids })
  // capabilities(7): a user other than root keeps none across execve
  const own = other.alone ? [...capabilities] : []
  process.capabilities = { bounding: [...capabilities], effective: own, permitted: own }
  process.noNewPrivileges = false
  delete linux.seccomp
}

/**
 * The namespaces part; a container that asks for no further groups may not choose any, as one that an ordinary user makes:
 * user_namespaces(7).
 */
export const withoutGroups = (part: Part): Part => ({
  ...part,
  async attach(container, pid) {
    const isOwn = namespaceInode(pid, 'user') !== namespaceInode('self', 'user')
    if (isOwn && !container.spec.process.user.additionalGids) writeControl(`/proc/${pid}/setgroups`, 'deny')
    await part.attach?.(container, pid)
  },
})
