import { isWholeMap } from './surroundings.ts'

/** Why there can be no user namespaces, and what would help. */
export interface Explanation {
  found: string
  fix: string
  /** whether sudo alone would do */
  sudo: boolean
}

interface Knob {
  file: string
  refuses: string
  /** whom: root has CAP_SYS_ADMIN, and only the first of these counts for root too */
  root: boolean
  allow: string
}

/** The three switches by which distributions forbid user namespaces, all below /proc/sys. */
const KNOBS: Knob[] = [
  // namespaces(7), since Linux 4.9: how many one user may have
  { file: 'user/max_user_namespaces', refuses: '0', root: true, allow: 'user.max_user_namespaces=15000' },
  // a patch of Debian's
  {
    file: 'kernel/unprivileged_userns_clone',
    refuses: '0',
    root: false,
    allow: 'kernel.unprivileged_userns_clone=1',
  },
  // Ubuntu from 24.04 on: the namespace is made, but without any capability in it
  {
    file: 'kernel/apparmor_restrict_unprivileged_userns',
    refuses: '1',
    root: false,
    allow: 'kernel.apparmor_restrict_unprivileged_userns=0',
  },
]

/** What the machine is asked for an explanation; /proc on a real one. */
export interface Evidence {
  /** the trimmed contents of a file below /proc/sys; undefined where there is none */
  sysctl(file: string): string | undefined
  /** /proc/self/uid_map */
  uidMap: string
  /** where we seem to be in a container: by which mark */
  container: string | undefined
  /** what the kernel said */
  refusal: string
}

/** Explains why user namespaces were refused. The first reason that holds is the one; the last is a guess, and says so. */
export function explainUserNamespaces(rootless: boolean, evidence: Evidence): Explanation {
  for (const { file, refuses, root, allow } of KNOBS) {
    if (evidence.sysctl(file) !== refuses || (!rootless && !root)) continue
    const found = `forbidden: ${file.replace('/', '.')} = ${refuses}`
    return {
      found: root ? found : `${found}, to ordinary users`,
      fix: `sudo sysctl -w ${allow}`,
      sudo: !root,
    }
  }
  if (!rootless && !isWholeMap(evidence.uidMap))
    return {
      found: 'root is here only root of a user namespace, and cannot pass on ids that it does not have',
      fix: './minilab step 2 --rootless',
      sudo: false,
    }
  if (evidence.container)
    return {
      found: `refused (${evidence.refusal}): this is a container (${evidence.container})`,
      fix: 'docker run --privileged … (or use a VM: limactl start)',
      sudo: false,
    }
  return {
    found: `refused: ${evidence.refusal}; a security module, or a chroot around us?`,
    fix: rootless ? 'sudo ./minilab doctor' : 'dmesg | tail',
    sudo: rootless,
  }
}
