import { spawnSync } from 'node:child_process'
import { MinilabError } from '../common/errors.ts'
import { described, type Described, type Hook, type Hooks, type Status } from './state.ts'

type Kind = keyof Hooks

/**
 * Runs the hooks of one kind in our own namespaces, one after the other, each with the container's state on its stdin: runtime-spec
 * config.md, "POSIX-platform Hooks". It is for a moment when a hook that fails changes nothing any more: that is only a warning.
 */
export function tryHooks(
  kind: Kind,
  hooks: Hooks | undefined,
  state: Described,
  status: Status,
  warn: (text: string) => void,
): void {
  for (const hook of hooks?.[kind] ?? []) {
    const [name, ...args] = hook.args ?? [hook.path]
    const {
      error,
      status: code,
      signal,
      stderr,
    } = spawnSync(hook.path, args, {
      argv0: name,
      env: Object.fromEntries((hook.env ?? []).map(variable)),
      input: JSON.stringify(described(state, status)),
      stdio: 'pipe',
      maxBuffer: Infinity,
      ...(hook.timeout !== undefined && { timeout: hook.timeout * 1000, killSignal: 'SIGKILL' as const }),
    })
    const why = reason(error, code, signal)
    if (why) warn(failed(kind, hook, why, stderr?.toString()).message)
  }
}

const variable = (entry: string) => /^([^=]*)=(.*)$/s.exec(entry)?.slice(1) ?? [entry, '']

function reason(
  error: NodeJS.ErrnoException | undefined,
  code: number | null,
  signal: string | null,
): string | undefined {
  if (error?.code === 'ETIMEDOUT') return TIMEOUT
  // a hook need not read its stdin
  if (error && error.code !== 'EPIPE') return error.message
  return ending(code, signal)
}

export const TIMEOUT = 'it took longer than its timeout'

/** How a hook failed that has ended; undefined if it succeeded. */
export function ending(code: number | null, signal: string | null): string | undefined {
  if (signal) return `signal: ${signal}`
  return code ? `exit status ${code}` : undefined
}

/** How much of a hook's stderr an error repeats: characters. */
const MOST_SAID = 2000

export const failed = (kind: Kind, { path }: Hook, why: string, said = '') =>
  new MinilabError(
    'usage',
    `error running ${kind} hook ${path}: ${why}`,
    `stderr: ${JSON.stringify(said.trim().slice(0, MOST_SAID))}`,
  )
