import type { Part } from '../../container/part.ts'
import { hardening, raiseAmbient, setRlimits } from '../../container/parts/hardening.ts'
import { limits } from '../../container/parts/limits.ts'
import { namespaces } from '../../container/parts/namespaces.ts'
import { compileSeccomp, seccompFlags } from '../../container/seccomp/seccomp.ts'
import type { Spec } from '../../container/spec.ts'
import { PR_SET_KEEPCAPS, SECCOMP_SET_MODE_FILTER } from '../../kernel/syscalls/constants.ts'
import { seeing, withOtherLimits } from './view.ts'

// What engines ask for and no lab teaches. Each of these comes before or after the learner's part of the same name.

const onlyJoined = (spec: Spec): Spec => ({
  ...spec,
  linux: { ...spec.linux, namespaces: spec.linux.namespaces.filter(({ path }) => path) },
})

/** Joins existing namespaces. */
export const joinNamespaces: Part = seeing(onlyJoined, {
  name: 'namespaces',
  inside: (tape, container, gate) => namespaces.inside?.(tape, container, gate),
})

/** The offsets of clocks, and the domain name. */
export const restOfNamespaces: Part = {
  name: 'namespaces',
  attach: (container, pid) => namespaces.attach?.({ ...container, spec: onlyJoined(container.spec) }, pid),
  inside(tape, { spec: { domainname, linux } }) {
    if (domainname && linux.namespaces.some(({ type, path }) => type === 'uts' && !path))
      tape.setdomainname(domainname, Buffer.byteLength(domainname))
  },
}

/** All other limits, and the hierarchies in which the learner makes no directory: devices, cpuset, … */
export const restOfLimits: Part = seeing(withOtherLimits, limits)

/** The limits of the process, a filter that has to come while it still has its rights, and that it keeps these at a change of user. */
export const beforeRights: Part = {
  name: 'hardening',
  attach: (container, pid) => hardening.attach?.(container, pid),
  inside(tape, { spec: { process, linux } }) {
    setRlimits(tape, process)
    if (linux.seccomp && !process.noNewPrivileges)
      tape.seccomp(SECCOMP_SET_MODE_FILTER, seccompFlags(linux.seccomp), compileSeccomp(linux.seccomp))
    if (process.user.uid !== 0 && process.capabilities?.permitted?.length)
      tape.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
  },
}

/** What the program of another user than root keeps. */
export const afterRights: Part = {
  name: 'hardening',
  inside: (tape, { spec }) => raiseAmbient(tape, spec.process.capabilities?.ambient),
}
