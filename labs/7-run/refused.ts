import { learnersError } from '../../lib/labs/problem.ts'
import { readFileSync } from 'node:fs'
import type { Ran } from '../../chapters/7-run/commands.ts'
import { changePart } from '../../lib/guide/mutant.ts'
import type { Step } from '../../lib/guide/step.ts'
import { PR_SET_NO_NEW_PRIVS } from '../../lib/kernel/syscalls/constants.ts'
import { type Diagnosis, SyscallError } from '../../lib/kernel/syscalls/syscall-error.ts'
import type { Op } from '../../lib/kernel/tape/tape.ts'

// Why a container did not start: what the kernel's error number means in this lab.

/** The calls on the tape of the latest container. */
export interface Latest {
  ops: readonly Op[]
}

/** The step that notes the tape of each container. */
export const noteTape = (step: Step<Ran>, latest: Latest): Step<Ran> =>
  changePart(step, 'process', part => ({
    ...part,
    inside(tape, container, gate) {
      latest.ops = tape.ops
      part.inside?.(tape, container, gate)
    },
  }))

const LAST = () => readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8').trim()

const changesUser = ({ call }: Op) => call === 'setresuid'

/** Two 32-bit words for each of effective, permitted and inheritable, the lower words first: capset(2). */
function holdsInheritable({ args: [, data] }: Op): boolean {
  if (!(data instanceof Uint8Array) || data.length < 24) return false
  const words = new DataView(data.buffer, data.byteOffset)
  return words.getUint32(8, true) !== 0 || words.getUint32(20, true) !== 0
}

/** By the refused call as it is printed, and if that is not enough, by the calls before it. */
const RULES: { call: RegExp; after?(op: Op): boolean; on?(op: Op): boolean; why(): Diagnosis }[] = [
  {
    call: /^seccomp\(.* EACCES/,
    why: () => ({
      cause: 'the kernel accepts a filter only after no_new_privs, or with CAP_SYS_ADMIN',
      remedy: 'install the filter after the `prctl` that sets no_new_privs',
    }),
  },
  {
    call: /^prctl\(PR_SET_NO_NEW_PRIVS.* EINVAL/,
    why: () => ({
      cause: 'the kernel accepts only 1 there, and three zeros: once set, it cannot be taken back',
      remedy: 'leave the call out if `spec.process.noNewPrivileges` is not set',
    }),
  },
  {
    call: /^setgroups\(.* EPERM/,
    why: () => ({
      cause: 'a user namespace with only one id refuses it',
      remedy: 'that must not end the child: `tape.attempt.setgroups(…)`',
    }),
  },
  {
    call: /^prctl\(PR_CAPBSET_DROP.* EINVAL/,
    why: () => ({
      cause: `there is no such capability: /proc/sys/kernel/cap_last_cap says ${LAST()}`,
      remedy: 'give the number of a capability, from 0 up to the last',
    }),
  },
  {
    call: /^prctl\(PR_CAPBSET_DROP.* EPERM/,
    after: changesUser,
    why: () => ({
      cause: 'PR_CAPBSET_DROP needs CAP_SETPCAP, which was lost with the change of user',
      remedy: 'drop from the bounding set first, then change the user',
    }),
  },
  {
    call: /^setresgid\(.* EPERM/,
    after: changesUser,
    why: () => ({ cause: 'only root may choose a group', remedy: 'change the group before the user' }),
  },
  {
    call: /^capset\(.* EPERM/,
    on: holdsInheritable,
    why: () => ({
      cause: 'the third set, inheritable, holds capabilities, but the specification lists none',
      remedy: '`capData` takes effective, permitted, inheritable: a missing list is 0n',
    }),
  },
  {
    call: /^capset\(.* EPERM/,
    why: () => ({
      cause:
        'it asks for capabilities that the process does not hold, or for effective capabilities that are not permitted',
      remedy:
        'each set has its own list, and `capData` takes them as effective, permitted, inheritable: the second is `spec.process.capabilities.permitted`',
    }),
  },
]

const NO_LAYERS: Diagnosis = {
  cause: '`layers` comes before `root`: nothing is mounted yet where root pivots to',
  remedy: 'put `layers` before `root` in `parts`',
}

const NO_NEW_PRIVS = 'prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)'

/** For a part whose call was refused because it comes after `hardening`. */
function tooEarly(op: Op | undefined, earlier: readonly Op[], diagnosis?: Diagnosis): Diagnosis | undefined {
  if (!op?.part || op.part === 'hardening' || !diagnosis?.cause.includes(TAKEN_AWAY)) return undefined
  if (!earlier.some(({ part }) => part === 'hardening')) return undefined
  const name = op.part === 'process' ? 'program' : op.part
  return {
    cause: `\`hardening\` comes before \`${name}\` in \`parts\`, and ${TAKEN_AWAY}`,
    remedy: 'put `hardening` after all parts that still need rights: just before `program`',
  }
}
const TAKEN_AWAY = 'took away the right to make this call'

/** The error of a container that did not start, with the cause. Other errors are returned unchanged. */
export function explainRefused(error: unknown, { ops }: Latest): unknown {
  const failed = error instanceof Error && error.cause instanceof SyscallError ? error.cause : error
  if (!(failed instanceof SyscallError) || !failed.place) return error
  const { message, diagnosis, place } = failed
  const at = place.at && { at: place.at }
  // then the missing call is at fault
  if (
    /^seccomp\(.* EACCES/.test(message) &&
    !ops.some(({ call, args }) => call === 'prctl' && args[0] === PR_SET_NO_NEW_PRIVS)
  )
    return learnersError({
      what: `${NO_NEW_PRIVS} was left out, and this container asks for it: without it, or CAP_SYS_ADMIN, the kernel accepts no filter`,
      ...at,
      remedy: 'make that call whenever `spec.process.noNewPrivileges` is set',
    })
  const earlier = ops.slice(0, place.number - 1)
  const layers = ops.findIndex(({ part }) => part === 'layers')
  const noLayers = ops[place.number - 1]?.part === 'root' && layers >= place.number
  const op = ops[place.number - 1]
  const rule = RULES.find(
    ({ call, after, on }) => call.test(message) && (!after || earlier.some(after)) && (!on || (op && on(op))),
  )
  const why = noLayers ? NO_LAYERS : (tooEarly(op, earlier, diagnosis) ?? diagnosis ?? rule?.why())
  return why ? learnersError({ what: `${message}: ${why.cause}`, ...at, remedy: why.remedy }) : error
}
