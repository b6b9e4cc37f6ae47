import { constants } from 'node:os'
import { MinilabError } from '../common/errors.ts'
import { reportError } from './report-error.ts'

/** Ends this process when stdout cannot be written: silently if its reader has gone, otherwise with one line on stderr. */
export function heedOutputErrors(): void {
  if (process.stdout.listeners('error').includes(unwritable)) return // a test has many commands in one process
  process.stdout.on('error', unwritable)
  process.stderr.on('error', () => {}) // there is nowhere else to report it, and the exit status says enough
}

let reported = false // per process, as stdout is

/** What happens after a write to stdout has failed. */
export function unwritable(error: NodeJS.ErrnoException): void {
  // `minilab … | head`: the running command undoes what it made, and exits
  if (error.code === 'EPIPE') {
    if (!process.emit('SIGPIPE', 'SIGPIPE')) leave(128 + constants.signals.SIGPIPE)
    return
  }
  if (reported) return
  reported = true
  process.exitCode = reportError(
    new MinilabError(
      'machine',
      `cannot write to stdout: ${error.message}`,
      'make sure that there is space to write to',
    ),
  )
  // a step runs to its end, to undo what it made; a server would never end
  if (process.listenerCount('SIGPIPE') === 0) leave(Number(process.exitCode))
}

/** Not with process.exit(): see end.ts, which is loaded when it is needed. */
const leave = (status: number) => void import('./end.ts').then(({ exitNow }) => exitNow(status))
