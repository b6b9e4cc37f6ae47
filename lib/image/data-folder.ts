import { chmodSync, mkdirSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { codeOf, fileError } from './error.ts'

/**
 * Where images, layers and state are kept: `$MINILAB_DATA`; else /var/lib/minilab for root; else
 * `$XDG_DATA_HOME/minilab`, by default ~/.local/share/minilab. An absolute path; nothing is made.
 *
 * A process that is uid 0 only inside a user namespace cannot tell by its uid: its parent sets MINILAB_DATA.
 */
export function dataFolder(): string {
  const { MINILAB_DATA, XDG_DATA_HOME } = process.env
  if (MINILAB_DATA) return resolve(MINILAB_DATA)
  if (process.geteuid?.() === 0) return '/var/lib/minilab'
  // XDG Base Directory Specification: a relative path is invalid and to be ignored
  const base = XDG_DATA_HOME && isAbsolute(XDG_DATA_HOME) ? XDG_DATA_HOME : join(homedir(), '.local/share')
  return join(base, 'minilab')
}

/**
 * Makes a directory and those missing above it, all 0755 whatever the umask: the processes of a user namespace look
 * up a layer's path with other rights than ours. Throws a MachineError.
 */
export function makeDir(path: string): void {
  const exists = () => statSync(path, { throwIfNoEntry: false })?.isDirectory()
  try {
    if (exists()) return
    makeDir(dirname(path)) // not mkdirSync's `recursive`: under /proc it tries for ever
    mkdirSync(path)
    chmodSync(path, 0o755)
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && exists()) return // another process was faster
    throw fileError(`make ${path}`, error)
  }
}
