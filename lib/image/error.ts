import { codeOf } from '../common/error-code.ts'
import { isKind, MinilabError } from '../common/errors.ts'

const OTHER_FOLDER = 'set MINILAB_DATA to a folder'
/** What to do when access to a file of the data folder is refused, by error code. */
export const REMEDIES: Record<string, string> = {
  ENOSPC: `free some space, or ${OTHER_FOLDER} on a larger disk`,
  EFBIG: 'raise the limit on file sizes (ulimit -f)',
  EDQUOT: `free some of your quota, or ${OTHER_FOLDER} on another disk`,
  EACCES: `ask the owner for access, or ${OTHER_FOLDER} that you may write to`,
  EPERM: `ask the owner for access, or ${OTHER_FOLDER} that you may write to`,
  EROFS: `${OTHER_FOLDER} that can be written to`,
}

/** Errors that mean that the path is wrong, which is the user's mistake. Any other error is a refusal by the kernel. */
const WRONG_PATH = ['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENAMETOOLONG', 'EEXIST', 'ENOTEMPTY', 'EINVAL']

/**
 * Turns what a file operation threw into a MinilabError that says what was being done: a usage error for a wrong path, else a
 * machine error. A MinilabError, or a bug of ours (an error without `code`), is returned unchanged.
 */
export function fileError(doing: string, error: unknown): unknown {
  if (isKind(error, 'usage') || isKind(error, 'machine')) return error
  const code = codeOf(error)
  if (!(error instanceof Error) || !code) return error
  const message = `cannot ${doing}: ${error.message}`
  // Node rejects the arguments itself with codes such as ERR_OUT_OF_RANGE
  if (WRONG_PATH.includes(code) || code.startsWith('ERR_'))
    return new MinilabError('usage', message, 'check the path')
  return new MinilabError(
    'machine',
    message,
    REMEDIES[code] ?? 'minilab doctor shows what this machine can do',
  )
}

/** Whether a write failed for lack of room: on the disk, in a quota, or because of RLIMIT_FSIZE. */
export const isFull = (error: unknown) => ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(codeOf(error) ?? '')
