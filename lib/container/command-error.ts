import { MinilabError } from '../common/errors.ts'
import type { SyscallError } from '../kernel/syscalls/syscall-error.ts'
import type { Replayed } from '../kernel/tape/tape.ts'

/** What execve(2) reports for a path that leads to no file: a component is missing, is no directory, or is too long. */
const NOT_FOUND = ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG']

/** execve(2), ERRORS */
const REFUSED: Record<string, string> = {
  ENOEXEC: 'it is neither a program for this machine nor a script with #!',
  ETXTBSY: 'a process has it open for writing: wait until it is written',
  ELOOP: 'it is a symbolic link that leads to itself, or a script of a script of a script',
  E2BIG: 'its arguments and variables are too long together',
  ENOMEM: 'allow more memory (-m)',
}

/**
 * Sums up the failed attempts to execve, as execvp(3) does: "found but refused" outweighs "not found". The status
 * is that of a shell and docker, 126 or 127.
 */
export function commandError(
  command: string,
  replayed: readonly Replayed[],
  last: SyscallError,
): MinilabError<'usage'> {
  if (command === '')
    return new MinilabError('usage', 'the command is empty', 'name a program', { status: 127 })
  const notExecuted = replayed.find(
    ({ call, errno }) => call === 'execve' && errno !== null && !NOT_FOUND.includes(errno),
  )
  if (notExecuted)
    return new MinilabError(
      'usage',
      `${command} cannot be executed in the container (${notExecuted.errno})`,
      REFUSED[notExecuted.errno ?? ''] ??
        'it must be a file with permission to execute (chmod +x), not a directory',
      { status: 126 },
    )
  const remedy = command.includes('/')
    ? (last.diagnosis?.remedy ?? 'look for it with ls')
    : 'look in /bin, or give its full path'
  return new MinilabError('usage', `there is no ${command} in the container`, remedy, { status: 127 })
}
