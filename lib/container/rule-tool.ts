import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'

// an ordinary user's PATH often lacks the folders of the administrator's programs
const FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin']

/** The path of a program of the host, or undefined where it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(':').filter(Boolean), ...FOLDERS]
  return folders.map(folder => join(folder, name)).find(isExecutable)
}

/** Runs nft or iptables, with text for its stdin: what it printed, or the first line of its complaint. */
export function runRuleTool(
  [program = '', ...args]: readonly string[],
  input = '',
): { ok: boolean; said: string } {
  const { status, stdout, stderr, error } = spawnSync(program, args, { input, encoding: 'utf8' })
  if (status === 0) return { ok: true, said: stdout }
  return { ok: false, said: error?.message ?? (stderr.trim().split('\n')[0] || `exit status ${status}`) }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false // not there, or not for us: both mean that it cannot be used
  }
}
