import { codeOf } from '../common/error-code.ts'

/** What stands in the place of a value that we may not read: which file or call, and why. */
interface NotReadable {
  notReadable: string
}

/** A value as the kernel told it, or why it did not tell us. */
export type Readable<T> = T | NotReadable

export function isReadable<T>(value: Readable<T>): value is T {
  return !(typeof value === 'object' && value !== null && 'notReadable' in value)
}

/**
 * What `look` finds, or that it may not: EACCES of the files of a process that is another user's, or that has
 * capabilities which we lack (ptrace(2), access mode checking), EPERM of another's namespaces. `what` names the file. Any other error is thrown: above all ENOENT and ESRCH of a process that has ended meanwhile.
 */
export function reading<T>(what: string, look: () => T): Readable<T> {
  try {
    return look()
  } catch (error) {
    return refusal(what, error)
  }
}

/** As `reading`, for what takes time. */
export async function readingAsync<T>(what: string, look: () => Promise<T>): Promise<Readable<T>> {
  try {
    return await look()
  } catch (error) {
    return refusal(what, error)
  }
}

function refusal(what: string, error: unknown): NotReadable {
  const code = codeOf(error)
  if (code === 'EACCES' || code === 'EPERM')
    return { notReadable: `${what} (${code}): it belongs to another user, or to a process with more rights` }
  throw error
}
