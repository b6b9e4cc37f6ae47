import { createHook, executionAsyncId } from 'node:async_hooks'
import { setImmediate } from 'node:timers/promises'
import { placeIn } from './learners-line.ts'
import { type MinilabError, type SourceLine } from '../common/errors.ts'
import { learnersError } from './problem.ts'

/** What Node calls a request to the file system, by a promise or by a callback, and a program that it has started. */
const KINDS = ['FSREQPROMISE', 'FSREQCALLBACK', 'PROCESSWRAP']

const REQUESTS_TIMEOUT = 1000 // ms, for requests that nothing waits for to come to an end

/** A request that nothing waited for, in the function that ended last. */
let latest: MinilabError<'refused'> | undefined
/** The error of a function that did not wait for what it began; undefined where the last one did. */
export const notAwaited = (): MinilabError<'refused'> | undefined => latest
/** Another trial begins: what the last one did is no matter of it. */
export const forgetRequests = (): void => void (latest = undefined)

/**
 * Calls a learner's function, which may be async, and throws where it ends before the requests that it began: what comes next
 * would find their work done or not, by chance. `name`: what it is called.
 */
export async function withRequests<R>(run: () => R, folder: string, name: string): Promise<Awaited<R>> {
  latest = undefined
  const lines = new Map<number, SourceLine>()
  const pending = new Map<number, SourceLine>()
  const hook = createHook({
    init(id, kind) {
      // a request that comes later, such as the write after the open, belongs to the line that began it all
      const at = placeIn(folder, new Error().stack) ?? lines.get(executionAsyncId())
      if (!at) return
      lines.set(id, at)
      if (KINDS.includes(kind)) pending.set(id, at)
    },
    before: id => void pending.delete(id), // its answer is there
  }).enable()
  try {
    const result = await run()
    leaveNone([...pending.values()], name)
    return result
  } catch (error) {
    // what the others of a Promise.all still do is no mistake: they are begun by the same line
    const line = error instanceof Error && error !== latest ? placeIn(folder, error.stack)?.line : undefined
    if (line !== undefined)
      leaveNone(
        [...pending.values()].filter(at => at.line !== line),
        name,
      )
    throw error
  } finally {
    // what is taken away meanwhile would make them fail
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
