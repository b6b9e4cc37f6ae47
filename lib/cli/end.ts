import { flushCompileCache } from 'node:module'
import { now } from '../kernel/syscalls/now.ts'

/**
 * Ends this process by the system call, with the status in process.exitCode, once its output is written. Node's own exit would give the terminal, and descriptors 0 to 2,
 * the modes that they had when Node started (src/node.cc, ResetStdio). Meanwhile a pager or an editor may have changed them: it would
 * lose its terminal, and a neighbour in a pipeline would lose bytes. Node would also wait for all of libuv's workers.
 */
export async function end(): Promise<never> {
  for (const stream of [process.stdout, process.stderr])
    if (stream.writableLength > 0) await new Promise(written => stream.write('', written)) // also called if the stream has failed
  await new Promise(setImmediate) // the error of a write is told after it: unwritable.ts sets the status
  const status = Number(process.exitCode ?? 0)
  process.emit('exit', status)
  flushCompileCache()
  return exitNow(status)
}

/** The same at once: output that has no reader is given up. */
export function exitNow(status: number): never {
  now.exit_group(status)
  throw new Error('exit_group(2) has returned')
}
