import { closeSync } from 'node:fs'
import { constants } from 'node:os'
import { closing } from '../../common/descriptor.ts'
import { MinilabError } from '../../common/errors.ts'
import { now } from '../syscalls/now.ts'
import { POLLIN, ready } from './poll.ts'
import { isAlive, processExists } from './procfs.ts'
import { SyscallError } from '../syscalls/syscall-error.ts'

/** Waits until a process has ended, which need not be our child: a pidfd is then readable, pidfd_open(2). */
export async function ended(pidfd: number, milliseconds = -1): Promise<boolean> {
  return ready(pidfd, POLLIN, milliseconds)
}

/**
 * A pidfd for a process; undefined if it has gone, or has ended and only waits for its parent to reap it (for
 * ever, in a container whose first process does not reap). With a start time, also if the pid now belongs to another process.
 */
export function findProcess(pid: number, startTicks?: number): number | undefined {
  let pidfd: number
  try {
    pidfd = now.pidfd_open(pid, 0)
  } catch (error) {
    // ENOENT, and EINVAL before Linux 6.9: the number now belongs to a thread, so to no process
    if (error instanceof SyscallError && ['ESRCH', 'ENOENT', 'EINVAL'].includes(error.code)) return undefined
    throw error
  }
  // the descriptor refers to one fixed process; comparing the start time tells whether it is the right one
  if (startTicks === undefined ? processExists(pid) : isAlive(pid, startTicks)) return pidfd
  closeSync(pidfd)
  return undefined
}

/** How long a killed process may take to go: ms. */
const END_LIMIT = 20_000

/**
 * Kills exactly this process and waits for its end. False if it was already gone. Throws a MinilabError if it does not go: process 1 of a
 * pid namespace goes last, when all others there have been reaped; the parent of one that has joined it may be outside, and not reap.
 */
export async function endProcess(pid: number, startTicks?: number, sent?: () => void): Promise<boolean> {
  const pidfd = findProcess(pid, startTicks)
  if (pidfd === undefined) return false
  using _ = closing(pidfd)
  send(pidfd, 'SIGKILL')
  sent?.()
  if (await ended(pidfd, END_LIMIT)) return true
  throw new MinilabError(
    'machine',
    `process ${pid} is killed, but has not ended after ${END_LIMIT / 1000} s`,
    'it waits for a disk, or for a process in its pid namespace that has ended and whose parent does not reap it: ps -eo pid,ppid,stat,comm shows such a process as Z; end its parent, and try again',
  )
}

/** Sends a signal through a pidfd. False if the process has gone. */
export function send(pidfd: number, signal: NodeJS.Signals | number): boolean {
  try {
    now.pidfd_send_signal(pidfd, typeof signal === 'number' ? signal : constants.signals[signal], 0, 0)
    return true
  } catch (error) {
    if (error instanceof SyscallError && error.code === 'ESRCH') return false
    throw error
  }
}
