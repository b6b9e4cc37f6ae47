import { certain } from '../../common/certain.ts'
import { capabilityMask, capData, capHeader } from '../../kernel/process/capabilities.ts'
import { limitWord, rlimitNumber } from '../../kernel/process/rlimits.ts'
import {
  PR_CAP_AMBIENT,
  PR_CAPBSET_DROP,
  PR_SET_KEEPCAPS,
  PR_SET_NO_NEW_PRIVS,
  SECCOMP_SET_MODE_FILTER,
} from '../../kernel/syscalls/constants.ts'
import { writeControl, readControl } from '../../kernel/cgroup/control-file.ts'
import type { Gate } from '../../kernel/tape/gate.ts'
import { Later, type Tape } from '../../kernel/tape/tape.ts'
import type { Container, Part } from '../part.ts'
import { notifies } from '../seccomp/seccomp-profile.ts'
import { compileSeccomp, seccompFlags } from '../seccomp/seccomp.ts'
import type { ProcessSpec } from '../spec.ts'

const PR_CAP_AMBIENT_RAISE = 2

/**
 * Chapter 7. The container's root is not the machine's: it has fewer capabilities, no way to gain more, and a filter over its
 * system calls. The order matters: each step takes away what an earlier one needed.
 */
export const hardening: Part = {
  name: 'hardening',

  attach: ({ spec: { process } }, pid) => setOomScore(process, pid),

  inside(tape, container, gate) {
    const { process, linux } = container.spec
    setRlimits(tape, process)
    if (process.user.umask !== undefined) tape.umask(process.user.umask)
    // seccomp(2): without no_new_privs a filter needs CAP_SYS_ADMIN, so it must come before the capabilities go
    const filter = linux.seccomp && compileSeccomp(linux.seccomp)
    const flags = linux.seccomp ? seccompFlags(linux.seccomp) : 0
    const filterLast = Boolean(filter && process.noNewPrivileges)
    if (filter && !filterLast) tape.seccomp(SECCOMP_SET_MODE_FILTER, flags, filter)
    changeUser(tape, process)
    if (process.noNewPrivileges) tape.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if (filter && filterLast) tape.seccomp(SECCOMP_SET_MODE_FILTER, flags, filter)
    if (notifies(linux.seccomp)) passListenerOn(tape, container, gate)
  },
}

/**
 * A filter that leaves calls to another program has a listener, which seccomp(2) returns: the descriptor from which that program reads each
 * call, and by which it answers. With the filter, the child waits until its parent has a copy. Then it closes its own: while one is open, a
 * call waits for an answer, even if the other program has ended.
 */
function passListenerOn(tape: Tape, container: Container, gate: Gate): void {
  const at = tape.ops.findLastIndex(({ call }) => call === 'seccomp')
  const listener = (container.listener = new Later(certain(tape.ops[at])))
  tape.insert(at + 1, () => {
    gate.record(tape)
    tape.close(listener)
  })
}

/** How soon the OOM killer chooses the process: proc(5), oom_score_adj. Its children inherit that. */
export function setOomScore({ oomScoreAdj }: ProcessSpec, pid: number): void {
  if (oomScoreAdj !== undefined) writeControl(`/proc/${pid}/oom_score_adj`, String(oomScoreAdj))
}

/** The limits of the process itself: getrlimit(2). */
export function setRlimits(tape: Tape, { rlimits = [] }: ProcessSpec): void {
  for (const { type, soft, hard } of rlimits)
    tape.prlimit64(0, rlimitNumber(type), { cur: limitWord(soft), max: limitWord(hard) }, null)
}

/** The user, and the capabilities that it keeps: capabilities(7), "Transformation of capabilities during execve()". */
function changeUser(tape: Tape, { user, capabilities: sets }: ProcessSpec): void {
  const keep = sets && {
    bounding: capabilityMask(sets.bounding ?? []),
    effective: capabilityMask(sets.effective ?? []),
    permitted: capabilityMask(sets.permitted ?? []),
    inheritable: capabilityMask(sets.inheritable ?? []),
  }
  if (keep) {
    const last = Number(readControl('/proc/sys/kernel/cap_last_cap'))
    for (let cap = 0; cap <= last; cap++)
      if (!((keep.bounding >> BigInt(cap)) & 1n)) tape.prctl(PR_CAPBSET_DROP, cap, 0, 0, 0)
    tape.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) // otherwise setresuid to an ordinary user clears the permitted set
  }
  // user_namespaces(7): if setgroups is denied (a map of one id), the groups stay as they are. A group that has no mapping is EINVAL
  const groups = user.additionalGids ?? []
  tape.allow('EPERM').setgroups(groups.length, groups)
  tape.setresgid(user.gid, user.gid, user.gid)
  tape.setresuid(user.uid, user.uid, user.uid)
  if (!keep) return
  tape.capset(capHeader(), capData(keep.effective, keep.permitted, keep.inheritable))
  raiseAmbient(tape, sets?.ambient)
}

/** The capabilities that a program of another user than root keeps: capabilities(7), "Ambient". */
export function raiseAmbient(tape: Tape, names: readonly string[] = []): void {
  for (const name of names) {
    const bit = capabilityMask([name]).toString(2).length - 1
    // a capability that is not inheritable cannot be ambient: `runc spec` asks for such, and runc leaves them out
    tape.allow('EPERM').prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, bit, 0, 0)
  }
}
