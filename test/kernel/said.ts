import { expect } from 'vitest'
import type { SyscallError } from '../../lib/kernel/syscalls/syscall-error.ts'

/** What a refusal shall say: the call and its error, and a part of the cause and of the remedy. */
export interface Said {
  error: string
  cause: RegExp
  remedy: RegExp
}

export function expectSaid(
  { call, code, diagnosis }: Pick<SyscallError, 'call' | 'code' | 'diagnosis'>,
  { error, cause, remedy }: Said,
) {
  expect({ error: `${call} ${code}`, ...diagnosis }).toEqual({
    error,
    cause: expect.stringMatching(cause),
    remedy: expect.stringMatching(remedy),
  })
}
