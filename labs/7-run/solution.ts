import { readFileSync } from 'node:fs'
import {
  capabilityMask,
  capData,
  capHeader,
  compileSeccomp,
  type Part,
  PR_CAPBSET_DROP,
  PR_SET_NO_NEW_PRIVS,
  SECCOMP_SET_MODE_FILTER,
} from 'minilab'
import { program } from './1-cli.ts'
import { namespaces } from './2-namespaces.ts'
import { root } from './3-root.ts'
import { limits } from './4-limits.ts'
import { layers } from './5-layers.ts'
import { network } from './6-network.ts'

export const hardening: Part = {
  name: 'hardening',
  inside(tape, { spec }) {
    const { user, capabilities = {}, noNewPrivileges } = spec.process
    const { bounding = [], effective = [], permitted = [], inheritable = [] } = capabilities
    if (user.umask !== undefined) tape.umask(user.umask)

    // at execve root gets everything that the bounding set has. A drop needs CAP_SETPCAP, so it comes before the user changes
    const keep = capabilityMask(bounding)
    const last = Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'))
    for (let cap = 0; cap <= last; cap++)
      if (!((keep >> BigInt(cap)) & 1n)) tape.prctl(PR_CAPBSET_DROP, cap, 0, 0, 0)

    // the user last, because only root may choose a group. A user namespace with only one id has no other groups
    const groups = user.additionalGids ?? []
    tape.attempt.setgroups(groups.length, groups)
    tape.setresgid(user.gid, user.gid, user.gid)
    tape.setresuid(user.uid, user.uid, user.uid)
    tape.capset(
      capHeader(),
      capData(capabilityMask(effective), capabilityMask(permitted), capabilityMask(inheritable)),
    )

    // without CAP_SYS_ADMIN, which is gone, the kernel accepts a filter only from a process that can gain no privileges
    if (noNewPrivileges) tape.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if (spec.linux.seccomp) tape.seccomp(SECCOMP_SET_MODE_FILTER, 0, compileSeccomp(spec.linux.seccomp))
  },
}

export const parts: Part[] = [
  namespaces, // first: without a user namespace, mounts made before it would also appear on the host
  layers, // root pivots into what this part mounts
  root, // after it no path of the host can be reached
  limits, // these two work on the host while the child waits: they could be anywhere
  network,
  hardening, // it takes away rights that the parts before it need
  program, // its execve does not return
]
