import { errnoMeaning, errnoName } from '../../common/errno.ts'
import type { SourceLine } from '../../common/errors.ts'

/** Why a call was refused, as far as the observed state tells, and what to do about it. */
export interface Diagnosis {
  cause: string
  remedy: string
}

/** Where on a tape a call is, from 1, and the line that recorded it. */
interface Place {
  number: number
  of: number
  at?: SourceLine | undefined
}

/** A system call that the kernel refused: which, with what arguments, where on its tape, why, and what to do. */
export class SyscallError extends Error {
  override name = 'SyscallError'
  readonly call: string
  /** the arguments as strace prints them */
  readonly args: string
  readonly errno: number
  /** `EPERM` and so on */
  readonly code: string
  readonly diagnosis: Diagnosis | undefined
  /** of one that was replayed: the how-manieth of its tape it is, from 1 */
  readonly place: Place | undefined

  /** `more`: its place, or what else the kernel said. */
  constructor(call: string, args: string, errno: number, more?: Place | string, diagnosis?: Diagnosis) {
    const place = typeof more === 'object' ? more : undefined
    const said = typeof more === 'object' ? ` (call ${more.number} of ${more.of})` : (more ?? '')
    super(`${call}(${args}) = -1 ${errnoName(errno)} (${errnoMeaning(errno)})${said}`)
    this.call = call
    this.args = args
    this.errno = errno
    this.code = errnoName(errno)
    this.diagnosis = diagnosis
    this.place = place
  }
}
