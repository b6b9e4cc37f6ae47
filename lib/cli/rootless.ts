import { existsSync, readFileSync } from 'node:fs'

/** Whether to do without the machine's root: because we are not root, or because it was asked for. */
export function isRootless(asked = false): boolean {
  return asked || process.getuid?.() !== 0 || !hasAllIds()
}

/** Root of a user namespace with a few ids (the sandbox, unshare -r, a rootless engine's container) is no root of the machine. */
function hasAllIds(): boolean {
  const map = '/proc/self/uid_map'
  if (!existsSync(map)) return true // no /proc: doctor says so; a kernel without user namespaces: nothing else to be root of
  return /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync(map, 'utf8'))
}
