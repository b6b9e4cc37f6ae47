/** The lines of labs/7-run/solution.ts that answers change. */

export const NAMESPACES =
  '  namespaces, // first: without a user namespace, mounts made before it would also appear on the host\n'
export const LAYERS = '  layers, // root pivots into what this part mounts\n'
export const ROOT = '  root, // after it no path of the host can be reached\n'
export const LIMITS =
  '  limits, // these two work on the host while the child waits: they could be anywhere\n'
export const NETWORK = '  network,\n'
export const HARDENING = '  hardening, // it takes away rights that the parts before it need\n'
export const PROGRAM = '  program, // its execve does not return\n'
export const UMASK = '    if (user.umask !== undefined) tape.umask(user.umask)\n'
export const KEEP = '    const keep = capabilityMask(bounding)\n'
export const LAST = "    const last = Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'))\n"
export const LOOP = '    for (let cap = 0; cap <= last; cap++)\n'
export const DROP = '      if (!((keep >> BigInt(cap)) & 1n)) tape.prctl(PR_CAPBSET_DROP, cap, 0, 0, 0)\n'
export const LIST = '    const groups = user.additionalGids ?? []\n'
export const GROUPS = '    tape.attempt.setgroups(groups.length, groups)\n'
export const GID = '    tape.setresgid(user.gid, user.gid, user.gid)\n'
export const UID = '    tape.setresuid(user.uid, user.uid, user.uid)\n'
export const SETS = 'capabilityMask(effective), capabilityMask(permitted), capabilityMask(inheritable)'
export const CAPSET = `    tape.capset(\n      capHeader(),\n      capData(${SETS}),\n    )\n`
export const NO_NEW = '    if (noNewPrivileges) tape.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)\n'
export const FILTER =
  '    if (spec.linux.seccomp) tape.seccomp(SECCOMP_SET_MODE_FILTER, 0, compileSeccomp(spec.linux.seccomp))\n'
