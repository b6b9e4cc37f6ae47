import { CommandError } from '../container/command-error.ts'
import { LimitedError } from '../container/limited.ts'
import { MachineError } from '../image/error.ts'
import { UsageError } from '../kernel/errors.ts'
import { SyscallError } from '../kernel/syscall-error.ts'
import { EXIT } from './exit.ts'

/** Says in one line what is wrong and what to do about it, and sets the exit status. A defect of ours keeps its stack. */
export function fail(error: unknown): void {
  const [status, line] = describe(error)
  if (line) process.stderr.write(`minilab: ${line}\n`)
  process.exitCode = status
}

function describe(error: unknown): [status: number, line: string] {
  if (error instanceof CommandError) return [error.status, `${error.message}: ${error.remedy}`]
  if (error instanceof UsageError) return [EXIT.usage, `${error.message}: ${error.remedy}`]
  if (error instanceof MachineError || error instanceof LimitedError)
    return [EXIT.machine, `${error.message}: ${error.remedy}`]
  if (error instanceof SyscallError) {
    const why = error.diagnosis ? `: ${error.diagnosis.cause}: ${error.diagnosis.remedy}` : ''
    return [EXIT.machine, error.message + why]
  }
  // @inquirer/prompts throws this at Ctrl-C; its class is not exported
  if (error instanceof Error && error.name === 'ExitPromptError') return [EXIT.interrupted, '']
  const { code, path, syscall } = (error ?? {}) as NodeJS.ErrnoException
  if (code && syscall)
    return [
      EXIT.machine,
      `${syscall} ${path ?? ''} failed with ${code}: is the disk full, or /proc missing? minilab doctor tells`,
    ]
  return [EXIT.failed, error instanceof Error ? (error.stack ?? error.message) : String(error)]
}
