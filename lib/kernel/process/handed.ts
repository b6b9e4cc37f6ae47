import { closeSync, readFileSync, writeSync } from 'node:fs'
import { codeOf } from '../../common/error-code.ts'
import { MinilabError } from '../../common/errors.ts'
import { F_GET_SEALS } from '../syscalls/constants.ts'
import { now } from '../syscalls/now.ts'
import { memoryFile, seal, SEALED } from './memory-file.ts'

/** Names the descriptor by which one of our processes receives what the process that started it tells it. */
const VARIABLE = 'MINILAB_HANDED'

/** What is passed on, by subject. */
export type Told = Readonly<Record<string, unknown>>

/** Something that one of our processes tells the next, which it starts to continue its work. Both use the same constant. */
export class Subject<T> {
  readonly #name: string

  constructor(name: string) {
    this.#name = name
  }

  /** To be passed on, possibly with other subjects: `{ ...ONE.tell(1), ...TWO.tell(2) }`. */
  tell(value: T): Told {
    return { [this.#name]: value }
  }

  /** What the process that started this one has told it; undefined if it told nothing on this subject, or was not ours. */
  get told(): T | undefined {
    return receive()[this.#name] as T | undefined
  }
}

/** What is told, in a sealed file in memory that one of our processes will inherit: memfd_create(2). */
export class Handover implements Disposable {
  readonly fd: number

  constructor(told: Told) {
    this.fd = memoryFile(VARIABLE, 'data')
    writeSync(this.fd, JSON.stringify(told), 0) // at 0, which leaves the file offset at 0
    seal(this.fd)
  }

  /** The variable that names the descriptor, for a process that inherits the file as `fd`. */
  env(fd = this.fd): Record<string, string> {
    return { [VARIABLE]: String(fd) }
  }

  [Symbol.dispose](): void {
    closeSync(this.fd)
  }
}

/** Per process, as its descriptors and variables are: read once, and then removed. */
let received: Told | undefined

/**
 * Reads what was passed on, and removes descriptor and variable, so that no process that we start inherits them. Throws a usage error
 * if the variable is set but none of our processes has set it.
 */
export function receive(): Told {
  return (received ??= read(process.env[VARIABLE]))
}

function read(variable: string | undefined): Told {
  delete process.env[VARIABLE]
  if (!variable) return {}
  const fd = Number(variable)
  if (!isSealed(fd))
    throw new MinilabError(
      'usage',
      `${VARIABLE} is set, but not by minilab`,
      'unset it: only minilab may set it',
    )
  const text = readFileSync(fd, 'utf8')
  closeSync(fd)
  return JSON.parse(text) as Told
}

/** Whether a descriptor is open, and is a sealed file of the kind that we make. */
function isSealed(fd: number): boolean {
  try {
    return (now.fcntl(fd, F_GET_SEALS, 0) & SEALED) === SEALED
  } catch (error) {
    if (['EBADF', 'EINVAL'].includes(codeOf(error) ?? '')) return false // fcntl(2): not open; a file without seals
    throw error
  }
}
