import { codeOf } from '../../common/error-code.ts'
import { spawnSync } from 'node:child_process'
import { constants } from 'node:fs'
import { join } from 'node:path'
import { MinilabError } from '../../common/errors.ts'
import { mayAccess } from '../../kernel/process/access.ts'

// an ordinary user's PATH often lacks the folders of the administrator's programs
const FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin']

/** The path of a program of the host, or undefined where it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(':').filter(Boolean), ...FOLDERS]
  return folders.map(folder => join(folder, name)).find(path => mayAccess(path, constants.X_OK))
}

/**
 * Runs nft or iptables, with text for its stdin: what it printed, or the first line of its complaint. Throws a MinilabError (limited)
 * where it cannot be asked at all: that must not be taken for a "no".
 */
export function runRuleTool(
  [program = '', ...args]: readonly string[],
  input = '',
): { ok: boolean; said: string } {
  // not by execa: nothing else may happen while the lock on the network is held
  const { status, stdout, stderr, error } = spawnSync(program, args, { input, encoding: 'utf8' })
  if (status === 0) return { ok: true, said: stdout }
  const code = codeOf(error)
  if (status === null && code !== 'ENOENT')
    throw new MinilabError(
      'limited',
      `${program} cannot be run: ${error?.message ?? 'it was killed'}`,
      code === 'EMFILE'
        ? 'allow more open files (ulimit -n), then: minilab clean'
        : 'see that there are memory and processes enough, then: minilab clean',
    )
  return { ok: false, said: error?.message ?? (stderr.trim().split('\n')[0] || `exit status ${status}`) }
}
