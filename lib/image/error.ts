import { codeOf } from '../common/error-code.ts'
import { isKind, MinilabError } from '../common/errors.ts'

const OTHER_FOLDER = 'set MINILAB_DATA to a folder'
/** What to do where a file of the data folder was refused. */
export const REMEDIES: Record<string, string> = {
  ENOSPC: `free some space, or ${OTHER_FOLDER} on a larger disk`,
  EFBIG: 'raise the limit on file sizes (ulimit -f)',
  EDQUOT: `free some of your quota, or ${OTHER_FOLDER} on another disk`,
  EACCES: `ask the owner for access, or ${OTHER_FOLDER} that you may write to`,
  EPERM: `ask the owner for access, or ${OTHER_FOLDER} that you may write to`,
  EROFS: `${OTHER_FOLDER} that can be written to`,
}

/** What says that a path is wrong. All else is a refusal of the kernel, and no mistake of the caller. */
const WRONG_PATH = ['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENAMETOOLONG', 'EEXIST', 'ENOTEMPTY', 'EINVAL']

/**
 * What a file operation threw, as a typed error that says what was being done: a usage error for a wrong path, else a MinilabError (machine).
 * A typed error, and a defect of ours (without `code`), come back as they are.
 */
export function fileError(doing: string, error: unknown): unknown {
  if (isKind(error, 'usage') || isKind(error, 'machine')) return error
  const code = codeOf(error)
  if (!(error instanceof Error) || !code) return error
  const message = `cannot ${doing}: ${error.message}`
  // ERR_OUT_OF_RANGE and the like are Node's word for what was asked of it
  if (WRONG_PATH.includes(code) || code.startsWith('ERR_'))
    return new MinilabError('usage', message, 'check the path')
  return new MinilabError(
    'machine',
    message,
    REMEDIES[code] ?? 'minilab doctor shows what this machine can do',
  )
}

/** Whether there is no room for what was written: on the disk, in a quota, or below RLIMIT_FSIZE. */
export const isFull = (error: unknown) => ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(codeOf(error) ?? '')
