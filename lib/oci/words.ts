import { errnoMeaning } from '../common/errno.ts'
import { MinilabError } from '../common/errors.ts'
import { SyscallError } from '../kernel/syscalls/syscall-error.ts'
import type { ProcessSpec } from '../container/spec.ts'

/**
 * An error of the start of a program in the words of runc, as far as engines or their users look at them: Docker chooses the exit status
 * 126 or 127 by them. A call whose arguments do not name what of the spec it is for is told with that.
 */
export function inRuncsWords(error: unknown, { args: [command = ''], cwd }: ProcessSpec): unknown {
  const refused = refusalIn(error)
  if (!refused) return error
  const say = (text: string) =>
    new MinilabError('usage', `unable to start container process: ${text}`, '', { cause: error })
  if (error instanceof MinilabError && [126, 127].includes(error.status ?? 0))
    return say(notExecuted(command, error))
  if (error instanceof MinilabError && error.message.startsWith('the working directory '))
    return say(
      `chdir to cwd (${JSON.stringify(cwd)}) set in config.json failed: ${errnoMeaning(refused.errno)}`,
    )
  const about = refused.place?.about
  return about ? say(`error during container init: ${about}: ${(error as Error).message}`) : error
}

function refusalIn(error: unknown): SyscallError | undefined {
  if (error instanceof SyscallError) return error
  return error instanceof MinilabError && error.cause instanceof SyscallError ? error.cause : undefined
}

function notExecuted(command: string, { status, message }: MinilabError): string {
  if (message.endsWith('(ENOEXEC)')) return `exec ${command}: exec format error`
  const quoted = JSON.stringify(command)
  if (status === 126) return `exec: ${quoted}: permission denied`
  return command.includes('/')
    ? `exec: ${quoted}: stat ${command}: no such file or directory`
    : `exec: ${quoted}: executable file not found in $PATH`
}
