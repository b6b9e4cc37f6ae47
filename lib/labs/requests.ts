import { createHook, executionAsyncId } from 'node:async_hooks'
import { setImmediate } from 'node:timers/promises'
import { placeIn } from './learners-line.ts'
import { type MinilabError, type SourceLine } from '../common/errors.ts'
import { learnersError } from './problem.ts'

/** Node's names for requests to the file system (with a promise or a callback) and for a program that it has started. */
const KINDS = ['FSREQPROMISE', 'FSREQCALLBACK', 'PROCESSWRAP']

const REQUESTS_TIMEOUT = 1000 // ms to wait for unawaited requests to end

/** The error for a request that the last function did not wait for. */
let latest: MinilabError<'refused'> | undefined
/** The error of the last function if it did not wait for what it began; else undefined. */
export const notAwaited = (): MinilabError<'refused'> | undefined => latest
/** Forgets that error, because another trial begins. */
export const forgetRequests = (): void => void (latest = undefined)

/**
 * Calls a learner's function, which may be async. Throws if it ends before its requests have ended: then it would be chance
 * whether the next code finds their work done. `name`: the function's name for the message.
 */
export async function withRequests<R>(run: () => R, folder: string, name: string): Promise<Awaited<R>> {
  latest = undefined
  const lines = new Map<number, SourceLine>()
  const pending = new Map<number, SourceLine>()
  const hook = createHook({
    init(id, kind) {
      // a later request, such as the write after an open, belongs to the line that began the first one
      const at = placeIn(folder, new Error().stack) ?? lines.get(executionAsyncId())
      if (!at) return
      lines.set(id, at)
      if (KINDS.includes(kind)) pending.set(id, at)
    },
    before: id => void pending.delete(id), // it is answered
  }).enable()
  try {
    const result = await run()
    leaveNone([...pending.values()], name)
    return result
  } catch (error) {
    // the other requests of a Promise.all may still run: the same line began them, so that is no mistake
    const line = error instanceof Error && error !== latest ? placeIn(folder, error.stack)?.line : undefined
    if (line !== undefined)
      leaveNone(
        [...pending.values()].filter(at => at.line !== line),
        name,
      )
    throw error
  } finally {
    // wait for them: what is removed after this would make them fail
    for (const end = Date.now() + REQUESTS_TIMEOUT; pending.size > 0 && Date.now() < end;)
      await setImmediate()
    hook.disable()
  }
}

function leaveNone([at]: SourceLine[], name: string): void {
  if (!at) return
  latest = learnersError({
    what: `\`${name}\` has ended, and what this line began had not: nothing waits for the promise`,
    at,
    remedy:
      'write `await` before it, in an async function. forEach and map do not wait: use `for (… of …)`, or `Promise.all`. Or take the call whose name ends in Sync',
  })
  throw latest
}
