import { asTyped } from '../guide/as-typed.ts'
import { fold } from '../guide/text.ts'
import { dataFolder } from '../image/data-folder.ts'
import { REMEDIES as OF_DATA } from '../image/error.ts'
import { type Kind, MinilabError } from '../common/errors.ts'
import { printable } from '../common/printable.ts'
import { SyscallError } from '../kernel/syscalls/syscall-error.ts'
import { EXIT, statusOf } from './exit.ts'

/** Says in one line what is wrong and what to do; returns the exit status. A bug of ours keeps its stack trace. */
export function reportError(error: unknown): number {
  const [status] = describe(error)
  process.stderr.write(forReader(lineOf(error)))
  return statusOf(status)
}

/** Prints a remark on stderr beside a command's output: one line, with commands as they are typed. */
export const warn = (text: string): void =>
  void process.stderr.write(forReader(`minilab: ${printable(asTyped(text))}\n`))

/** One line, on a terminal wrapped between words; the stack trace of a bug stays as it is. */
function forReader(line: string): string {
  const { isTTY, columns } = process.stderr
  if (!isTTY || !columns || line.trimEnd().includes('\n')) return line
  return fold(line.trimEnd(), columns).join('\n') + '\n'
}

/** The text for an error; nothing if the user pressed Ctrl-C at a question. */
export function lineOf(error: unknown): string {
  const [status, line] = describe(error)
  return line && `minilab: ${status === EXIT.failed ? line : printable(asTyped(line))}\n`
}

const STATUS: Record<Kind, number> = {
  usage: EXIT.usage,
  refused: EXIT.usage,
  machine: EXIT.machine,
  limited: EXIT.machine,
}

function describe(error: unknown): [status: number, line: string] {
  if (error instanceof MinilabError) {
    const { kind, at, message, remedy, status } = error as MinilabError
    return [
      status ?? STATUS[kind],
      `${at ? `${at.file}:${at.line} (${at.text}): ` : ''}${message}: ${remedy}`,
    ]
  }
  if (error instanceof SyscallError) {
    const { cause, remedy } = error.diagnosis ?? {}
    return [EXIT.machine, [error.message, cause, remedy ?? remedyFor(error.code)].filter(Boolean).join(': ')]
  }
  // @inquirer/prompts throws these at Ctrl-C and when we abort it; their classes are not exported
  if (error instanceof Error && /^(Exit|Abort)PromptError$/.test(error.name)) return [EXIT.interrupted, '']
  const { code, path, syscall } = (error ?? {}) as NodeJS.ErrnoException
  if (syscall === 'uv_cwd')
    return [
      EXIT.machine,
      `the current folder ${code === 'ENOENT' ? 'has been removed' : `cannot be named (${code})`}: change to another one (cd)`,
    ]
  if (code && syscall)
    return [
      EXIT.machine,
      `${[syscall, path].filter(Boolean).join(' ')} failed with ${code}: ${(isData(path) && OF_DATA[code]) || remedyFor(code)}`,
    ]
  return [EXIT.failed, error instanceof Error ? (error.stack ?? error.message) : String(error)]
}

function isData(path = ''): boolean {
  try {
    return `${path}/`.startsWith(`${dataFolder()}/`)
  } catch {
    return false // it cannot be determined here, and another error reports that
  }
}

/** What to do if only the errno is known: errno(3). */
const remedyFor = (code: string) => REMEDIES[code] ?? 'minilab doctor shows what this machine can do'

const REMEDIES: Record<string, string> = {
  ENOSPC: 'free some space (df, df -i), or set MINILAB_DATA to a folder on a larger disk',
  EFBIG: 'raise the limit on file sizes (ulimit -f)',
  EDQUOT: 'free some of your quota, or set MINILAB_DATA to a folder on another disk',
  EADDRNOTAVAIL:
    'the loopback interface has no address: sudo ip addr add 127.0.0.1/8 dev lo; sudo ip link set lo up',
  EMFILE: 'allow more open files (ulimit -n)',
  ENFILE: 'the whole machine has too many files open: end some programs',
  ENOMEM: 'end some programs, or allow more memory (free, ulimit -v, and the limits of our cgroup)',
  EAGAIN: 'end some programs, or allow more processes (ulimit -u, and pids.max of our cgroup)',
}
