import { SyscallError } from '../kernel/syscalls/syscall-error.ts'
import { MinilabError, type SourceLine } from '../common/errors.ts'

/** What stopped a step that is built wrongly: that is no error of ours, but what there is to be learned. */
export interface Refusal {
  message: string
  cause: string
  remedy: string
  /** where in a learner's file it came from */
  at?: SourceLine
}

/** What was refused, and why, in a line. */
export const inWords = ({ message, cause }: Pick<Refusal, 'message' | 'cause'>) =>
  cause ? `${message}: ${cause}` : message

/** What was refused: by the kernel, or by us as it would not have been possible. Undefined for a defect of ours. */
export function refusalOf(thrown: unknown): Refusal | undefined {
  if (!(thrown instanceof Error)) return undefined
  // who builds a container wants the call, and not what it means to who only runs one: start-error.ts
  const error = thrown.cause instanceof SyscallError ? thrown.cause : thrown
  const { message } = error
  if (error instanceof SyscallError) {
    const { cause = '', remedy = '' } = error.diagnosis ?? {}
    return { message, cause, remedy, ...(error.place?.at && { at: error.place.at }) }
  }
  if (error instanceof MinilabError) {
    const { remedy, at } = error
    return { message, cause: '', remedy, ...(at && { at }) }
  }
  // of Node's file system: a mount of the container's that came out to the sandbox keeps its folder busy
  if ('syscall' in error) return { message, cause: '', remedy: '' }
  return undefined
}
