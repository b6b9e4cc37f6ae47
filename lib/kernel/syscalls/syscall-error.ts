import { errnoMeaning, errnoName } from '../../common/errno.ts'
import type { SourceLine } from '../../common/errors.ts'

/** Why a call was refused, as far as the observed state tells, and what to do about it. */
export interface Diagnosis {
  cause: string
  remedy: string
}

/** The position of a call on its tape, from 1, and where it comes from: a line that recorded it, a field of the spec. */
interface Place {
  number: number
  of: number
  at?: SourceLine | undefined
  /** what of the spec the call is for */
  about?: string | undefined
}

/** A system call that the kernel refused: its name, its arguments, its place on the tape, the cause, and what to do. */
export class SyscallError extends Error {
  override name = 'SyscallError'
  readonly call: string
  /** the arguments as strace prints them */
  readonly args: string
  readonly errno: number
  /** such as `EPERM` */
  readonly code: string
  readonly diagnosis: Diagnosis | undefined
  /** for a replayed call: its index on its tape, from 1 */
  readonly place: Place | undefined

  /** `more`: its place, or further details from the kernel. */
  constructor(call: string, args: string, errno: number, more?: Place | string, diagnosis?: Diagnosis) {
    const place = typeof more === 'object' ? more : undefined
    const suffix = typeof more === 'object' ? ` (call ${more.number} of ${more.of})` : (more ?? '')
    super(`${call}(${args}) = -1 ${errnoName(errno)} (${errnoMeaning(errno)})${suffix}`)
    this.call = call
    this.args = args
    this.errno = errno
    this.code = errnoName(errno)
    this.diagnosis = diagnosis
    this.place = place
  }
}
