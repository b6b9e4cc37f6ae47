import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { constants } from 'node:os'
import { F_SETFL, O_NONBLOCK, O_WRONLY } from '../syscalls/constants.ts'
import { codeWith, ENTRY } from '../tape/launchpad-code.ts'
import { int32s, now } from '../syscalls/now.ts'
import { pipe } from './pipe.ts'

/**
 * What is not heard: SIGKILL and SIGSTOP cannot be; SIGCHLD, SIGPIPE and SIGURG tell us of our own affairs, as they do
 * docker's client; faults of a program would come again at once; SIGTTIN and SIGTTOU stop us where the terminal is another
 * job's.
 */
const UNHEARD = new Set(
  ['KILL STOP CHLD PIPE URG ILL TRAP BUS FPE SEGV TTIN TTOU'].flatMap(names =>
    names.split(' ').map(name => constants.signals[`SIG${name}` as NodeJS.Signals]),
  ),
)
/** Those with a name, once each: SIGPOLL is SIGIO, and SIGIOT is SIGABRT. */
const SIGNAL_NAMES = new Map(
  Object.entries(constants.signals)
    .filter(([, number]) => !UNHEARD.has(number))
    .map(([name, number]) => [number, name as NodeJS.Signals]),
)
/** Real-time signals: signal(7). glibc keeps the first two for itself, and Node knows no names for the others. */
const REAL_TIME = Array.from({ length: 31 }, (_, i) => 34 + i)

/** Tells of every signal that we are sent, until it is disposed of; without it most of them would end us. */
export function hearSignals(hear: (signal: number) => void): Disposable {
  const named = [...SIGNAL_NAMES].map(([number, name]) => [name, () => hear(number)] as const)
  for (const [name, listener] of named) process.on(name, listener)
  const realTime = hearRealTime(hear)
  return {
    [Symbol.dispose]() {
      for (const [name, listener] of named) process.off(name, listener)
      realTime()
    },
  }
}

/** JavaScript cannot run in a signal handler: this one is machine code, and writes the signal's number to a pipe. */
function hearRealTime(hear: (signal: number) => void): () => void {
  const { read, write } = pipe()
  now.fcntl(write, F_SETFL, O_WRONLY | O_NONBLOCK) // a full pipe loses a signal, but never stops us in the handler
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
