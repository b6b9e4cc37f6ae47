import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { constants } from 'node:os'
import { F_SETFL, O_NONBLOCK, O_WRONLY } from '../syscalls/constants.ts'
import { codeWith, ENTRY } from '../tape/launchpad-code.ts'
import { int32s, now } from '../syscalls/now.ts'
import { pipe } from './pipe.ts'

/**
 * Signals that are left out. SIGKILL and SIGSTOP cannot be caught; SIGCHLD, SIGPIPE and SIGURG concern only us, as with
 * docker's client; a program's fault would recur at once; SIGTTIN and SIGTTOU stop us while another job has
 * the terminal.
 */
const UNHEARD = new Set(
  ['KILL STOP CHLD PIPE URG ILL TRAP BUS FPE SEGV TTIN TTOU'].flatMap(names =>
    names.split(' ').map(name => constants.signals[`SIG${name}` as NodeJS.Signals]),
  ),
)
/** The signals with a name, each once: SIGPOLL is SIGIO, and SIGIOT is SIGABRT. */
const SIGNAL_NAMES = new Map(
  Object.entries(constants.signals)
    .filter(([, number]) => !UNHEARD.has(number))
    .map(([name, number]) => [number, name as NodeJS.Signals]),
)
/** Real-time signals: signal(7). glibc keeps the first two for itself, and Node knows no names for the others. */
const REAL_TIME = Array.from({ length: 31 }, (_, i) => 34 + i)

/** Whether our caller ignores a signal: SIGHUP under nohup(1), SIGINT and SIGQUIT in a script's background job. The launchers have read it. */
const isIgnored = (signal: number): boolean =>
  (BigInt(`0x${process.env.MINILAB_IGNORED || 0}`) & (1n << BigInt(signal - 1))) !== 0n

/**
 * Reports every signal sent to us until it is disposed of; otherwise most signals would end us. What our caller ignores is not reported and
 * does not end us; `all`: only SIGHUP is left out in that way.
 */
export function hearSignals(hear: (signal: number) => void, all = true): Disposable {
  const report = (signal: number) => {
    if (isIgnored(signal) && (!all || signal === constants.signals.SIGHUP)) return
    hear(signal)
  }
  const named = [...SIGNAL_NAMES].map(([number, name]) => [name, () => report(number)] as const)
  for (const [name, listener] of named) process.on(name, listener)
  const realTime = hearRealTime(report)
  return {
    [Symbol.dispose]() {
      for (const [name, listener] of named) process.off(name, listener)
      realTime()
    },
  }
}

/** JavaScript cannot run in a signal handler: this handler is machine code that writes the signal's number to a pipe. */
function hearRealTime(hear: (signal: number) => void): () => void {
  const { read, write } = pipe()
  now.fcntl(write, F_SETFL, O_WRONLY | O_NONBLOCK) // if the pipe is full a signal is lost, but the handler never blocks us
  const code = codeWith(write)
  const action = { handler: code + BigInt(ENTRY.heard), restorer: code + BigInt(ENTRY.restorer) }
  for (const signal of REAL_TIME) now.rt_sigaction(signal, action, null, 8)
  const signals = new Socket({ fd: read }).unref()
  signals.on('data', bytes => int32s(new Uint8Array(bytes)).forEach(hear))
  return () => {
    for (const signal of REAL_TIME) now.rt_sigaction(signal, 'SIG_DFL', null, 8)
    signals.destroy()
    closeSync(write)
  }
}
