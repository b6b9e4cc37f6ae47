import { MinilabError } from '../common/errors.ts'
import type { Part } from '../container/part.ts'
import { program, searchPath } from '../container/parts/process.ts'
import type { ProcessSpec } from '../container/spec.ts'
import { AT_FDCWD, S_IFDIR } from '../kernel/syscalls/constants.ts'

const STATX = { size: 256, mode: 28, wanted: 3 } // struct statx, STATX_TYPE | STATX_MODE: statx(2)

/** Looks for the program where execvp(3) will, so that `create` can say that it is missing, as runc does. */
export interface LookUp extends Part {
  command: string
  found: Uint8Array[]
}

export function lookUp({ args, env }: ProcessSpec): LookUp {
  const command = args[0] ?? ''
  const found: Uint8Array[] = []
  return {
    name: program.name,
    command,
    found,
    inside(tape) {
      for (const path of searchPath(command, env)) {
        const stat = new Uint8Array(STATX.size)
        tape.attempt.statx(AT_FDCWD, path, 0, STATX.wanted, stat)
        found.push(stat)
      }
    },
  }
}

/** Why there is nothing to execute, in the words of Go's os/exec, by which Docker chooses the exit status 126 or 127. */
export function notFound({ command, found }: LookUp): MinilabError | undefined {
  const modes = found.map(stat => new DataView(stat.buffer).getUint16(STATX.mode, true)).filter(Boolean)
  const isFolder = (mode: number) => (mode & 0o170000) === S_IFDIR
  if (modes.some(mode => !isFolder(mode) && mode & 0o111)) return undefined
  const why = modes.some(mode => !isFolder(mode) || command.includes('/'))
    ? 'permission denied'
    : command.includes('/')
      ? `stat ${command}: no such file or directory`
      : 'executable file not found in $PATH'
  return new MinilabError(
    'usage',
    `unable to start container process: exec: ${JSON.stringify(command)}: ${why}`,
    '',
  )
}
