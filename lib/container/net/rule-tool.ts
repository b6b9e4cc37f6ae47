import { codeOf } from '../../common/error-code.ts'
import { constants } from 'node:fs'
import { join } from 'node:path'
import { MinilabError } from '../../common/errors.ts'
import { mayAccess } from '../../kernel/process/access.ts'

// an ordinary user's PATH often lacks the directories with administration programs
const FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin']

/** The path of a program on the host, or undefined if it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(':').filter(Boolean), ...FOLDERS]
  return folders.map(folder => join(folder, name)).find(path => mayAccess(path, constants.X_OK))
}

/**
 * Runs nft or iptables, with text for its stdin. Returns its output, or the first line of its error message. Throws a MinilabError
 * (limited) if it cannot be run at all: that must not be mistaken for a "no".
 */
export function runRuleTool(
  [program = '', ...args]: readonly string[],
  input = '',
): { ok: boolean; said: string } {
  // not with execa: this must be synchronous, because we hold the lock on the network. Loaded here: few containers need rules
  const { spawnSync } = process.getBuiltinModule('node:child_process')
  const { status, stdout, stderr, error } = spawnSync(program, args, { input, encoding: 'utf8' })
  if (status === 0) return { ok: true, said: stdout }
  const code = codeOf(error)
  if (status === null && code !== 'ENOENT')
    throw new MinilabError(
      'limited',
      `${program} cannot be run: ${error?.message ?? 'it was killed'}`,
      code === 'EMFILE'
        ? 'allow more open files (ulimit -n), then: minilab clean'
        : 'free some memory or end some processes, then: minilab clean',
    )
  return { ok: false, said: error?.message ?? (stderr.trim().split('\n')[0] || `exit status ${status}`) }
}
