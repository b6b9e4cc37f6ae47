import { basename } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Part } from '../container/part.ts'
import { inWords, refusalOf } from '../guide/refusal.ts'
import { ClosedError } from '../kernel/netlink/netlink.ts'
import { SyscallError } from '../kernel/syscalls/syscall-error.ts'
import { suggest } from '../common/suggest.ts'
import { misfit, syscalls } from '../kernel/syscalls/syscalls.ts'
import * as constants from '../kernel/syscalls/constants.ts'
import { Later, Tape } from '../kernel/tape/tape.ts'
import type { Exercise, Exported, LabName } from './exercise.ts'
import { nextContainer } from './host-calls.ts'
import { placeIn } from './learners-line.ts'
import { isKind, type SourceLine, MinilabError } from '../common/errors.ts'
import { learnersError } from './problem.ts'
import { withRequests } from './requests.ts'
import { fileOf } from './workspace.ts'

type LabExports = LabName & Pick<Exercise, 'exports'>

/**
 * The exports of a learner's file, with parts that add the learner's line to errors. Throws a MinilabError (refused) with the
 * line if the file cannot be read or run, or lacks an export.
 */
export async function loadExported(folder: string, exercise: LabExports): Promise<Exported> {
  const file = fileOf({ folder }, exercise)
  const exported = { ...(await importFile(folder, file)) }
  for (const [name, kind] of Object.entries(exercise.exports)) {
    const value = exported[name]
    if (!isOfKind(value, kind))
      throw learnersError({
        what: `${basename(file)} exports no ${name}${value === undefined ? '' : ` that is ${KINDS[kindOf(kind)]}`}`,
        remedy: `keep the line \`export … ${name} …\` of the start file: minilab reset ${exercise.number} puts it back, and keeps yours`,
      })
    if (typeof kind === 'object') exported[name] = guardPart(value as Part, folder, kind.part)
    else if (kind === 'function')
      exported[name] = withLines(guard(value as () => unknown, folder, name), folder)
    else exported[name] = (value as unknown[]).map((part, i) => guardListed(part, folder, `${name}[${i}]`))
  }
  return exported
}

const KINDS = { part: 'a part, with its functions', function: 'a function', list: 'a list of parts' }

const kindOf = (kind: Exercise['exports'][string]) => (typeof kind === 'object' ? 'part' : kind)

function isOfKind(value: unknown, kind: Exercise['exports'][string]): boolean {
  if (kind === 'function') return typeof value === 'function'
  if (kind === 'list') return Array.isArray(value)
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

async function importFile(folder: string, file: string): Promise<Exported> {
  try {
    return (await import(pathToFileURL(file).href)) as Exported
  } catch (error) {
    throw asWritten(error, folder, 'it cannot be loaded')
  }
}

/**
 * An error from the learner's code as a MinilabError with its line. An error that has a line already is returned unchanged.
 * `mayAwait`: whether that code may await.
 */
export function asWritten(
  error: unknown,
  folder: string,
  doing: string,
  mayAwait = true,
): MinilabError<'refused'> {
  if (isKind(error, 'refused')) {
    const { message: what, remedy, at = placeIn(folder, error.stack) } = error
    return !at || at === error.at ? error : learnersError({ what, at, remedy })
  }
  if (!(error instanceof Error))
    return learnersError({ what: `${doing}: it threw ${String(error)}`, remedy: 'throw an Error' })
  const at = placeIn(folder, error.stack)
  const refusal = error instanceof SyscallError ? refusalOf(error) : undefined
  if (refusal) return learnersError({ what: inWords(refusal), ...(at && { at }), remedy: refusal.remedy })
  if (error instanceof ClosedError) {
    const closed = placeIn(folder, error.cause.stack)
    const what = `${doing}: ${error.message}${closed ? `, in line ${closed.line}` : ''}`
    return learnersError({ what, ...(at && { at }), remedy: error.remedy })
  }
  const message = (error.message.split('\n').find(line => line.trim()) ?? error.name).trim()
  if (at && isThrownBy(at, error))
    return learnersError({ what: `${doing}: ${THREW} “${message}”`, at, remedy: WHY_THROWN })
  const mayBePromise = error instanceof TypeError && mayAwait ? PROMISE : ''
  const known =
    nearestCall(message) ??
    explainUndefined(message) ??
    (REMEDIES[error.name] ?? 'which of the values in that line is it about? console.log prints them') +
      mayBePromise
  const isOurs = error instanceof MinilabError
  const what = `${doing}: ${isOurs ? '' : `${error.name}: `}${message}`
  return learnersError({ what, ...(at && { at }), remedy: isOurs ? error.remedy : known })
}

/** The beginning of the message for an error that the learner's own code threw, not a call. */
export const THREW = 'your own code threw an error here,'
const WHY_THROWN =
  'look at the condition that leads to this line: which of its values is not what you expect? console.log prints them'

/** Whether the learner's own line threw this error: it has a `throw` or an assert, and no other frame is above it in the stack. */
const isThrownBy = ({ file, text }: SourceLine, { stack = '' }: Error) =>
  /\bthrow\b|\bassert\b/.test(text) && (/^ *at .*/m.exec(stack)?.[0].includes(`/${file}:`) ?? false)

/** The call that a wrong name was most likely meant to be: `umount` is umount2(2), `exec` execve(2). */
function nearestCall(message: string): string | undefined {
  const [, word] = /\btape(?:\.\w+)*\.(\w+) is not a function/.exec(message) ?? []
  if (word === undefined) return undefined
  const calls = Object.keys(syscalls)
  const near = calls.find(call => call.startsWith(word)) ?? suggest(word, calls)
  return `no such call${near ? `; did you mean ${near}?` : ';'} an editor lists them after \`tape.\``
}

/** An explanation for a name that is not defined (yet): a call without its tape, or a variable declared further down. */
function explainUndefined(message: string): string | undefined {
  const [, early] = /^Cannot access '(.+)' before initialization/.exec(message) ?? []
  if (early !== undefined)
    return `the line that declares \`${early}\` runs after this one, or is this one: put it before`
  const [, word] = /^(\w+) is not defined/.exec(message) ?? []
  return word !== undefined && Object.hasOwn(syscalls, word)
    ? `the child makes it: write \`tape.${word}(…)\`, and it is recorded`
    : undefined
}

const REMEDIES: Record<string, string> = {
  SyntaxError: 'correct what is written there: an editor shows it in red',
  ReferenceError: "is it imported? `import { … } from 'minilab'` has constants and types",
  TypeError: 'is it what that line takes it for?',
}
const PROMISE = ' A promise, for one, has to be awaited first'

/** The hooks of a part that may be async. */
const ASYNC = /\.(prepare|attach)$/

/** The function; its errors get the learner's line. An async hook must wait for everything that it begins. */
function guard<A extends unknown[], R>(
  run: (...args: A) => R,
  folder: string,
  name: string,
): (...args: A) => R {
  const mayAwait = ASYNC.test(name)
  return (...args) => {
    try {
      const result = mayAwait ? (withRequests(() => run(...args), folder, name) as R) : run(...args)
      return result instanceof Promise
        ? (result.catch((error: unknown) => {
            throw asWritten(error, folder, name)
          }) as R)
        : result
    } catch (error) {
      throw asWritten(error, folder, name, false)
    }
  }
}

/** The learner's part under our name for it, with every hook guarded. Each recorded call gets its line. */
function guardPart(part: Part, folder: string, name: string): Part {
  const guarded: Part = { name }
  const first = part.prepare ? 'prepare' : 'attach'
  for (const hook of ['flags', 'prepare', 'attach', 'inside'] as const) {
    const run = part[hook] as ((...args: unknown[]) => unknown) | undefined
    if (run === undefined) continue
    if (typeof run !== 'function')
      throw learnersError({ what: `${hook} of ${name} is no function`, remedy: `write ${hook}(…) { … }` })
    const safely = guard(run.bind(part), folder, `${name}.${hook}`)
    const counted = (...args: unknown[]) => {
      nextContainer()
      return safely(...args)
    }
    Object.assign(guarded, {
      [hook]:
        hook === 'inside'
          ? withLines(safely, folder)
          : hook === 'flags'
            ? onlyNamespaces(safely, name)
            : hook === first
              ? counted
              : safely,
    })
  }
  return guarded
}

/** The flags that a part's `flags` may return. minilab adds the flags of the parts, so one given twice would become another flag. */
const CLONE_FLAGS = Object.entries(constants).filter(([name]) => name.startsWith('CLONE_'))
const NEW_NAMESPACES = CLONE_FLAGS.filter(([name]) => name.startsWith('CLONE_NEW'))

function onlyNamespaces(flags: (...args: unknown[]) => unknown, part: string) {
  return (...args: unknown[]): unknown => {
    const returned = flags(...args)
    if (!Number.isSafeInteger(returned)) return returned
    const known = NEW_NAMESPACES.reduce((sum, [, flag]) => sum | BigInt(Number(flag)), 0n)
    const more = BigInt(returned as number) & ~known
    if (more === 0n) return returned
    const names = CLONE_FLAGS.filter(([, flag]) => more & BigInt(Number(flag))).map(([name]) => name)
    throw learnersError({
      what: `${part}.flags returned ${names.join('|') || `0x${more.toString(16)}`}, which is no namespace`,
      remedy: 'return flags such as CLONE_NEWPID and no others: minilab adds what else the clone needs',
    })
  }
}

/** One part of a list. Listed parts are identified by their own names. */
function guardListed(part: unknown, folder: string, where: string): Part {
  const { name } = (part ?? {}) as Partial<Part>
  if (typeof name === 'string') return guardPart(part as Part, folder, name)
  throw learnersError({
    what: `${where} is no part with a name`,
    remedy: 'list what your files of the labs before export',
  })
}

/** For code that gets a tape as an argument and records on it: each call gets the learner's line. */
function withLines(record: (...args: unknown[]) => unknown, folder: string): (...args: unknown[]) => unknown {
  return (...args) => {
    const tape = args.find(arg => arg instanceof Tape)
    if (!tape) return record(...args)
    const note = tape.record.bind(tape)
    tape.record = (...call) => {
      const [name, given] = call
      const wrong = misfit(
        name,
        given.map(arg => (arg instanceof Later ? 0 : arg)),
      )
      if (wrong) throw learnersError({ what: wrong, remedy: 'an editor shows the types: tape.' + name })
      const later = note(...call)
      const at = placeIn(folder, new Error().stack)
      if (at) later.op.at = at
      return later
    }
    try {
      const result = record(...args)
      if (!(result instanceof Promise)) return result
      throw learnersError({
        what: 'it is async: what it records after an await comes too late for the tape',
        remedy: 'record without await; what has to be awaited belongs into prepare or attach',
      })
    } finally {
      delete (tape as Partial<Tape>).record // the class's own method is visible again
    }
  }
}
