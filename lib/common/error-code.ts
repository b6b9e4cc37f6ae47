// Imports nothing: standard-streams.ts needs it before any module may touch process.stderr, as node:util does.

/** The code of an error from Node, or of a SyscallError: 'ENOENT'. Undefined for others. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
