import { diagnose } from './diagnose.ts'
import { errnoNumber } from './errno.ts'
import { SyscallError } from './syscall-error.ts'
import { Later, type Replayed, type Tape } from './tape.ts'

/**
 * The call that ended a replay, as an error: the last one that ran, where its result was below what its op demands.
 * Undefined where the tape ran to its end.
 */
export function failure(tape: Tape, replayed: readonly Replayed[]): SyscallError | undefined {
  const last = replayed.at(-1)
  const op = tape.ops[replayed.length - 1]
  if (!last || !op || last.result === null) return undefined
  if (last.errno === null && BigInt(last.result) >= op.min) return undefined
  if (last.errno !== null && op.min < 0n) return undefined
  const errno = last.errno === null ? errnoNumber('EPIPE') : errnoNumber(last.errno)
  const args = op.args.map(arg => (arg instanceof Later ? replayed[tape.ops.indexOf(arg.op)]?.result : arg))
  const place = ` (call ${replayed.length} of ${tape.ops.length})`
  const earlier = tape.ops.slice(0, replayed.length - 1)
  return new SyscallError(last.call, last.args, errno, place, diagnose(last.call, args, errno, earlier))
}
