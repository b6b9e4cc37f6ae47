import { flushCompileCache } from 'node:module'
import { now } from '../kernel/syscalls/now.ts'

/**
 * Ends this process with exit_group(2) once its output is written, with the status in process.exitCode. Node's own exit would
 * give the terminal, and descriptors 0 to 2, the modes that they had when Node started (src/node.cc, ResetStdio). A pager or an
 * editor may have changed them since: it would lose its terminal, and a neighbour in a pipeline would lose bytes. Node would
 * also wait for all of libuv's workers.
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

/** Ends at once, without writing what no reader takes. */
export function exitNow(status: number): never {
  now.exit_group(status)
  throw new Error('exit_group(2) has returned')
}
