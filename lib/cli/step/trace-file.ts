import {
  closeSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { resolve } from 'node:path'
import { type Trace, trace } from '../../guide/trace.ts'
import type { Timeline } from '../../guide/timeline.ts'
import { MinilabError } from '../../common/errors.ts'
import { owner, sudoUser } from '../../labs/owned.ts'

/** Tells us on the bench which of our descriptors the trace goes to. */
const DESCRIPTOR = 'MINILAB_TRACE_FD'

/** As FILE it means stdout, as everywhere. */
export const STDOUT = '-'

/** Where the trace of a step goes: a file, which is there whole or not at all. */
class TraceFile {
  readonly path: string
  readonly #partial: string
  /** a file without a name in the same folder: if we are killed, nothing of it is left */
  readonly #draft: number

  /** Throws a usage error where no file can be written there. */
  constructor(path: string) {
    this.path = resolve(path)
    this.#partial = `${this.path}.${process.pid}.new`
    try {
      const there = lstatSync(this.path, { throwIfNoEntry: false })
      if (there && !there.isFile())
        throw new MinilabError('usage', `"${path}" is no regular file`, 'name another for --trace')
      this.#draft = this.#create()
      rmSync(this.#partial)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (!code) throw error
      throw new MinilabError(
        'usage',
        `"${path}" cannot be written (${code})`,
        'name a file in a folder of yours for --trace',
      )
    }
  }

  #create(): number {
    const file = openSync(this.#partial, 'wx+')
    // what root makes belongs to who called sudo; else to whom the folder belongs
    const ids = sudoUser() ?? owner(this.path, fstatSync(file))
    if (ids) fchownSync(file, ids.uid, ids.gid)
    return file
  }

  /** For ourselves on the bench: another descriptor of the draft, and how to tell of it. */
  forBench(): { keep: number[]; env: NodeJS.ProcessEnv } {
    const fd = openSync(`/proc/self/fd/${this.#draft}`, 'r+')
    return { keep: [fd], env: { [DESCRIPTOR]: String(fd) } }
  }

  write(timeline: Timeline): void {
    writeFileSync(this.#draft, print(trace(timeline)))
  }

  /** Puts what was written in its place, and nothing where nothing was. */
  close(): void {
    try {
      if (fstatSync(this.#draft).size === 0) return
      const file = this.#create()
      try {
        writeFileSync(file, readFileSync(`/proc/self/fd/${this.#draft}`))
        fsyncSync(file)
        renameSync(this.#partial, this.path)
      } catch (error) {
        rmSync(this.#partial, { force: true })
        throw error
      } finally {
        closeSync(file)
      }
    } finally {
      closeSync(this.#draft)
    }
  }
}

/** What a step has its trace written to. */
type Target = Pick<TraceFile, 'write' | 'close' | 'forBench'> & { path?: string }

/** Where the trace goes that was asked for; undefined where none was. Throws a usage error where it cannot be written. */
export function traceTo(path: string | undefined): Target | undefined {
  if (path === undefined) return undefined
  const given = process.env.MINILAB_BENCH && process.env[DESCRIPTOR]
  if (path !== STDOUT && !given) return new TraceFile(path)
  const write = (text: string) => {
    if (given) writeFileSync(Number(given), text)
    else process.stdout.write(text)
  }
  return {
    write: timeline => write(print(trace(timeline))),
    close: () => {},
    forBench: () => ({ keep: [], env: {} }),
  }
}

/** One event a line. */
function print({ traceEvents, ...rest }: Trace): string {
  const lines = traceEvents.map(event => JSON.stringify(event)).join(',\n')
  return `{"traceEvents":[\n${lines}\n],${JSON.stringify(rest).slice(1)}\n`
}
