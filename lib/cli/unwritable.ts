import { constants } from 'node:os'
import { MinilabError } from '../common/errors.ts'
import { reportError } from './report-error.ts'

/** Ends us where stdout cannot be written: quietly where its reader has gone, else with one line. */
export function heedOutputErrors(): void {
  if (process.stdout.listeners('error').includes(unwritable)) return // a test has many commands in one process
  process.stdout.on('error', unwritable)
  process.stderr.on('error', () => {}) // there is no other place to say it, and the exit status tells enough
}

let said = false // of the process, as stdout is

/** What follows where a write to stdout has failed. */
export function unwritable(error: NodeJS.ErrnoException): void {
  // `minilab … | head`: what is under way takes back what it made, and ends
  if (error.code === 'EPIPE') {
    if (!process.emit('SIGPIPE', 'SIGPIPE')) process.exit(128 + constants.signals.SIGPIPE)
    return
  }
  if (said) return
  said = true
  process.exitCode = reportError(
    new MinilabError(
      'machine',
      `cannot write to stdout: ${error.message}`,
      'see that there is room where it goes',
    ),
  )
  // a step goes on to its end, for what it has made; a server would never end
  if (process.listenerCount('SIGPIPE') === 0) process.exit()
}
