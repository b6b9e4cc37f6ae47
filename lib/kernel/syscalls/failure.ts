import { diagnose } from './diagnose.ts'
import { errnoNumber } from '../../common/errno.ts'
import { type Diagnosis, SyscallError } from './syscall-error.ts'
import { Later, type Replayed, type Tape } from '../tape/tape.ts'

/** Calls that do not return when they succeed. */
const NO_RETURN = ['execve', 'exit_group']

const KILLED = {
  cause: 'a signal killed the child during this call',
  remedy: 'dmesg | tail shows whether the kernel sent it (out of memory, a seccomp filter)',
}

/** Like KILLED, if the second stage has not started anything. */
const NO_SECOND_STAGE = {
  cause:
    'the second stage ended before its first call: a signal killed it, or it got no memory (ulimit -v, ulimit -s)',
  remedy: 'allow more memory, or look in dmesg | tail',
}

/** Like KILLED, for a child's child: Tape.become. */
const KILLED_WITH_ITS_MAKER = {
  cause:
    'a signal killed it because its parent had ended: when process 1 of a pid namespace ends, the kernel kills all others in it, pid_namespaces(7)',
  remedy: 'leave out the second clone3: the first child is inside already',
}

/**
 * The call that ended a replay, as an error: the last one that ran, if its result was below what its op demands, or
 * if the child was killed in it. Undefined if the tape ran to its end.
 */
export function failure(tape: Tape, replayed: readonly Replayed[]): SyscallError | undefined {
  const ops = tape.own
  const last = replayed.at(-1)
  const op = ops[replayed.length - 1]
  if (!last || !op) return undefined
  const place = { number: replayed.length, of: ops.length, at: op.at, about: op.about }
  if (last.result === null && NO_RETURN.includes(last.call)) return undefined
  if (last.result === null && last.call === 'execveat' && !tape.second) return undefined
  if (last.result === null)
    return new SyscallError(last.call, last.args, errnoNumber('EINTR'), place, whyKilled(replayed))
  if (last.errno === null && BigInt(last.result) >= op.min) return undefined
  const negativeErrno = last.errno === null ? 0n : -BigInt(errnoNumber(last.errno))
  if (last.errno !== null && (negativeErrno >= op.min || op.allowed?.includes(negativeErrno)))
    return undefined
  const errno = last.errno === null ? errnoNumber('EPIPE') : errnoNumber(last.errno)
  const args = op.args.map(arg => (arg instanceof Later ? replayed[ops.indexOf(arg.op)]?.result : arg))
  const earlier = ops.slice(0, replayed.length - 1)
  return new SyscallError(last.call, last.args, errno, place, diagnose(last.call, args, errno, earlier))
}

/** Why a child ended in the midst of its last call. */
function whyKilled(replayed: readonly Replayed[]): Diagnosis {
  if (replayed.slice(0, -1).some(({ call }) => call === 'clone3')) return KILLED_WITH_ITS_MAKER
  return replayed.at(-1)?.call === 'execveat' ? NO_SECOND_STAGE : KILLED
}
