// It imports nothing: standard-streams.ts needs it before anything may look at process.stderr, as node:util does.

/** 'ENOENT' and so on, of an error of Node or a SyscallError. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
