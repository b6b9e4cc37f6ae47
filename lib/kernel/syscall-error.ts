import { errnoMeaning, errnoName } from './errno.ts'

/** Why a call was refused, as far as the observed state tells, and what to do about it. */
export interface Diagnosis {
  cause: string
  remedy: string
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

  constructor(call: string, args: string, errno: number, place = '', diagnosis?: Diagnosis) {
    super(`${call}(${args}) = -1 ${errnoName(errno)} (${errnoMeaning(errno)})${place}`)
    this.call = call
    this.args = args
    this.errno = errno
    this.code = errnoName(errno)
    this.diagnosis = diagnosis
  }
}
