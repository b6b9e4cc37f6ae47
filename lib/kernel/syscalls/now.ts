import { Arena } from './arena.ts'
import { diagnose } from './diagnose.ts'
import { koffi, libc } from './libc.ts'
import { syscallNumber } from './syscall-numbers.ts'
import { SyscallError } from './syscall-error.ts'
import { type Args, type Call, parameters, printArgs, syscalls, type Syscalls } from './syscalls.ts'

type Now = { [C in keyof Syscalls]: (...args: Args<C>) => number }

/**
 * The system calls of the table, made at once in this thread: `now.mount('proc', '/proc', 'proc', 0, null)`.
 * Each returns the call's result, fills its `out` buffers, and throws a SyscallError if the kernel refuses.
 */
export const now = Object.fromEntries(
  Object.keys(syscalls).map(call => [call, (...args: unknown[]) => perform(call as Call, args)]),
) as Now

function perform(call: Call, args: unknown[]): number {
  const arena = Arena.take()
  try {
    const words = parameters(call).map(({ kind }, i) => kind.encode(args[i], arena))
    while (words.length < 6) words.push(0)
    const result = libc.syscall(syscallNumber(call), ...words)
    const errno = koffi.errno()
    if (Number(result) !== -1) return Number(result)
    throw new SyscallError(call, printArgs(call, args), errno, undefined, diagnose(call, args, errno))
  } finally {
    arena.release()
  }
}

/** The numbers in a buffer that a call filled with 32-bit integers, such as the two descriptors of pipe2(2). */
export function int32s(buffer: Uint8Array): number[] {
  return [...new Int32Array(buffer.buffer, buffer.byteOffset, buffer.length / 4)]
}
