import { isWholeMap } from './surroundings.ts'

/** Why no user namespaces can be made, and what would help. */
export interface Explanation {
  found: string
  fix: string
  /** whether sudo alone would solve it */
  sudo: boolean
}

interface Knob {
  file: string
  refuses: string
  /** whether it also refuses root, which has CAP_SYS_ADMIN */
  root: boolean
  allow: string
}

/** The settings below /proc/sys by which distributions forbid user namespaces. */
const KNOBS: Knob[] = [
  // namespaces(7), since Linux 4.9: how many namespaces one user may have
  { file: 'user/max_user_namespaces', refuses: '0', root: true, allow: 'user.max_user_namespaces=15000' },
  // a patch of Debian
  {
    file: 'kernel/unprivileged_userns_clone',
    refuses: '0',
    root: false,
    allow: 'kernel.unprivileged_userns_clone=1',
  },
  // Ubuntu since 24.04: the namespace is made, but without any capability in it
  {
    file: 'kernel/apparmor_restrict_unprivileged_userns',
    refuses: '1',
    root: false,
    allow: 'kernel.apparmor_restrict_unprivileged_userns=0',
  },
]

/** The facts about the machine that the explanation uses; on a real machine they come from /proc. */
export interface Evidence {
  /** the trimmed content of a file below /proc/sys; undefined if there is none */
  sysctl(file: string): string | undefined
  /** /proc/self/uid_map */
  uidMap: string
  /** the sign that we are in a container; undefined if there is none */
  container: string | undefined
  /** the kernel's answer */
  refusal: string
}

/** Explains why user namespaces were refused: the first cause that is true. The last one is a guess, and says so. */
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
