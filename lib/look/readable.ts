import { codeOf } from '../common/error-code.ts'

/** Replaces a value that we may not read: names the file or call, and says why. */
interface NotReadable {
  notReadable: string
}

/** A value that the kernel gave us, or why it did not. */
export type Readable<T> = T | NotReadable

export function isReadable<T>(value: Readable<T>): value is T {
  return !(typeof value === 'object' && value !== null && 'notReadable' in value)
}

/**
 * The result of `look`, or that we may not read it: EACCES for the files of a process of another user, or one with capabilities
 * that we lack (ptrace(2), access mode checking); EPERM for another user's namespaces. `what` names the file. Throws other
 * errors, such as ENOENT and ESRCH if a process has ended.
 */
export function reading<T>(what: string, look: () => T): Readable<T> {
  try {
    return look()
  } catch (error) {
    return refusal(what, error)
  }
}

/** As `reading`, for an asynchronous function. */
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
