import { existsSync, readFileSync } from 'node:fs'

/** Whether to work without the machine's root: because we are not root, or because the user asked for that. */
export function isRootless(asked = false): boolean {
  return asked || process.getuid?.() !== 0 || !hasAllIds()
}

/** Root of a user namespace with a few ids (the sandbox, unshare -r, a rootless engine's container) is not root of the machine. */
function hasAllIds(): boolean {
  const map = '/proc/self/uid_map'
  if (!existsSync(map)) return true // no /proc: doctor reports that; no user namespaces in the kernel: root can only be the machine's
  return /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync(map, 'utf8'))
}
