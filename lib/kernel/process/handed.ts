import { closeSync, readFileSync, writeSync } from 'node:fs'
import { codeOf } from '../../common/error-code.ts'
import { MinilabError } from '../../common/errors.ts'
import { F_GET_SEALS } from '../syscalls/constants.ts'
import { now } from '../syscalls/now.ts'
import { memoryFile, seal, SEALED } from './memory-file.ts'

/** Says by which descriptor a process of ours gets what the process has to tell that started it. */
const VARIABLE = 'MINILAB_HANDED'

/** What is told, by subject. */
export type Told = Readonly<Record<string, unknown>>

/** Something that one process of ours tells the next, which it starts to continue its work. Both have the same constant. */
export class Subject<T> {
  readonly #name: string

  constructor(name: string) {
    this.#name = name
  }

  /** To be handed over, perhaps with other subjects: `{ ...ONE.tell(1), ...TWO.tell(2) }`. */
  tell(value: T): Told {
    return { [this.#name]: value }
  }

  /** What the process that started this one has told; undefined where it has told nothing of it, or was not ours. */
  get told(): T | undefined {
    return receive()[this.#name] as T | undefined
  }
}

/** What is told, in a sealed file in memory, which a process of ours is to inherit: memfd_create(2). */
export class Handover implements Disposable {
  readonly fd: number

  constructor(told: Told) {
    this.fd = memoryFile(VARIABLE, 'data')
    writeSync(this.fd, JSON.stringify(told), 0) // at 0, which leaves the offset there
    seal(this.fd)
  }

  /** The variable that says where it is: for a process that inherits it as the descriptor `fd`. */
  env(fd = this.fd): Record<string, string> {
    return { [VARIABLE]: String(fd) }
  }

  [Symbol.dispose](): void {
    closeSync(this.fd)
  }
}

/** Of the process, as its descriptors and variables are: read once, and then they are gone. */
let received: Told | undefined

/**
 * Reads what was handed over, and forgets descriptor and variable: nothing that we start inherits them. Throws a usage error
 * where the variable is set and no process of ours has set it.
 */
export function receive(): Told {
  return (received ??= read(process.env[VARIABLE]))
}

function read(variable: string | undefined): Told {
  delete process.env[VARIABLE]
  if (!variable) return {}
  const fd = Number(variable)
  if (!isSealed(fd))
    throw new MinilabError('usage', `${VARIABLE} is set, and makes no sense`, 'unset it: it is minilab’s own')
  const text = readFileSync(fd, 'utf8')
  closeSync(fd)
  return JSON.parse(text) as Told
}

/** Whether a descriptor is open, and a file as ours are. */
function isSealed(fd: number): boolean {
  try {
    return (now.fcntl(fd, F_GET_SEALS, 0) & SEALED) === SEALED
  } catch (error) {
    if (['EBADF', 'EINVAL'].includes(codeOf(error) ?? '')) return false // fcntl(2): not open; a file that has no seals
    throw error
  }
}
