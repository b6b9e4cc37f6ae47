import { codeOf } from '../../common/error-code.ts'
import { fstatSync, lstatSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Trace, trace } from '../../guide/trace.ts'
import type { Timeline } from '../../guide/timeline.ts'
import type { Descriptor } from '../../common/descriptor.ts'
import { Subject, type Told } from '../../kernel/process/handed.ts'
import { MinilabError } from '../../common/errors.ts'
import { type Ids, openNew, replaceFile } from '../../common/replace-file.ts'
import { owner, sudoUser } from '../../labs/file-owner.ts'

/** In the sandbox: the descriptor that the trace is written to. */
const TRACE = new Subject<number>('trace')

/** As FILE it means stdout, as usual. */
export const STDOUT = '-'

/** Where the trace of a step goes: a file that appears complete or not at all. */
class TraceFile {
  readonly path: string
  readonly #partial: string
  /** a file without a name in the same folder: if we are killed, nothing is left behind */
  readonly #draft: Descriptor

  /** Throws a usage error if no file can be written there. */
  constructor(path: string) {
    this.path = resolve(path)
    this.#partial = `${this.path}.${process.pid}.new`
    try {
      const there = lstatSync(this.path, { throwIfNoEntry: false })
      if (there && !there.isFile())
        throw new MinilabError('usage', `"${path}" is not a regular file`, 'choose another file for --trace')
      this.#draft = openNew(this.#partial, { owner: callerOrOwner })
      rmSync(this.#partial)
    } catch (error) {
      const code = codeOf(error)
      if (!code) throw error
      throw new MinilabError(
        'usage',
        `"${path}" cannot be written (${code})`,
        'give --trace a file that you may write',
      )
    }
  }

  /** For our process in the sandbox: another descriptor of the draft, and the message that names it. */
  forSandbox(): { keep: number[]; told: Told } {
    const fd = openSync(`/proc/self/fd/${this.#draft.fd}`, 'r+')
    return { keep: [fd], told: TRACE.tell(fd) }
  }

  write(timeline: Timeline): void {
    writeFileSync(this.#draft.fd, print(trace(timeline)))
  }

  /** Moves the written trace to its final name; does nothing if nothing was written. */
  close(): void {
    using draft = this.#draft
    if (fstatSync(draft.fd).size === 0) return
    const content = readFileSync(`/proc/self/fd/${draft.fd}`)
    replaceFile(this.path, content, { partial: this.#partial, owner: callerOrOwner })
  }
}

/** A file made by root belongs to the user who called sudo, otherwise to the owner of the folder. */
const callerOrOwner = (path: string, made: Ids) => sudoUser() ?? owner(path, made)

/** The function that a step writes its trace with. */
type Target = Pick<TraceFile, 'write' | 'close' | 'forSandbox'> & { path?: string }

/** The trace file that was asked for; undefined if none was. Throws a usage error if it cannot be written. */
export function traceTo(path: string | undefined): Target | undefined {
  if (path === undefined) return undefined
  const given = TRACE.told
  if (path !== STDOUT && given === undefined) return new TraceFile(path)
  const write = (text: string) => {
    if (given !== undefined) writeFileSync(given, text)
    else process.stdout.write(text)
  }
  return {
    write: timeline => write(print(trace(timeline))),
    close: () => {},
    forSandbox: () => ({ keep: [], told: {} }),
  }
}

/** One event per line. */
function print({ traceEvents, ...rest }: Trace): string {
  const lines = traceEvents.map(event => JSON.stringify(event)).join(',\n')
  return `{"traceEvents":[\n${lines}\n],${JSON.stringify(rest).slice(1)}\n`
}
