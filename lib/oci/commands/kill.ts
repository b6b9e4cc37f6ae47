import { constants } from 'node:os'
import { codeOf } from '../../common/error-code.ts'
import { MinilabError } from '../../common/errors.ts'
import type { Call } from '../commands.ts'
import { freezerOf, load, pidsOf, statusOf } from '../state.ts'

export async function run({ root, flags, args: [id = '', word = 'SIGTERM'] }: Call): Promise<void> {
  const signal = signalOf(word)
  const state = load(root, id)
  if (flags.has('all')) return pidsOf(state).forEach(pid => send(pid, signal))
  const status = statusOf(root, state)
  if (status === 'stopped' || !send(state.pid, signal))
    throw new MinilabError('usage', 'container not running', 'state shows how it is')
  // of cgroup v1 a frozen process does not die
  const freezer = status === 'paused' && signal === constants.signals.SIGKILL ? freezerOf(state) : undefined
  if (freezer) (await import('../../kernel/cgroup/cgroup.ts')).thawTree(freezer.path)
}

/** A number, or a name with or without SIG. */
function signalOf(word: string): number {
  const name = `SIG${word.toUpperCase().replace(/^SIG/, '')}`
  const number = /^\d+$/.test(word) ? Number(word) : constants.signals[name as NodeJS.Signals]
  if (number !== undefined && number <= 64) return number
  throw new MinilabError('usage', `unknown signal ${JSON.stringify(word)}`, 'signal(7) lists them')
}

/** False if the process has gone. */
function send(pid: number, signal: number): boolean {
  try {
    process.kill(pid, signal)
    return true
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return false
    throw error
  }
}
