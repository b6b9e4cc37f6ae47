import { UsageError } from '../kernel/errors.ts'

/** The machine lacks something (room, rights, programs): the message says what, the remedy what to do; one line each. */
export class MachineError extends Error {
  override readonly name = 'MachineError'
  readonly remedy: string

  constructor(message: string, remedy: string, options?: ErrorOptions) {
    super(message, options)
    this.remedy = remedy
  }
}

const OTHER_FOLDER = 'set MINILAB_DATA to a folder'
const REMEDIES: Record<string, string> = {
  ENOSPC: `free some space, or ${OTHER_FOLDER} on a larger disk`,
  EDQUOT: `free some of your quota, or ${OTHER_FOLDER} on another disk`,
  EACCES: `ask the owner for access, or ${OTHER_FOLDER} that you may write to`,
  EPERM: `ask the owner for access, or ${OTHER_FOLDER} that you may write to`,
  EROFS: `${OTHER_FOLDER} that can be written to`,
}

/** What a file operation threw, as a typed error that says what was being done; a defect of ours (no `code`) stays as it is. */
export function fileError(doing: string, error: unknown): unknown {
  if (error instanceof UsageError || error instanceof MachineError) return error
  if (!(error instanceof Error) || !('code' in error)) return error
  const remedy = REMEDIES[String(error.code)] ?? 'look at that path'
  return new MachineError(`cannot ${doing}: ${error.message}`, remedy, { cause: error })
}
