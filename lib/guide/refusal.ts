import { SyscallError } from '../kernel/syscalls/syscall-error.ts'
import { MinilabError, type SourceLine } from '../common/errors.ts'

/** What stopped a step that is built wrongly. Not an error of ours, but a result that the learner should see. */
export interface Refusal {
  message: string
  cause: string
  remedy: string
  /** the line of the learner's file that caused it */
  at?: SourceLine
}

/** What was refused, and why, in one line. */
export const inWords = ({ message, cause }: Pick<Refusal, 'message' | 'cause'>) =>
  cause ? `${message}: ${cause}` : message

/** What was refused, by the kernel or by us because it could not work. Undefined for a bug of ours. */
export function refusalOf(thrown: unknown): Refusal | undefined {
  if (!(thrown instanceof Error)) return undefined
  // the author of a container needs the call itself, not its meaning for users of containers: start-error.ts
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
  // from Node's file system: a mount that came out of the container into the sandbox keeps its folder busy
  if ('syscall' in error) return { message, cause: '', remedy: '' }
  return undefined
}
