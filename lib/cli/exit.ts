/**
 * Exit statuses, the same for every command except `run` and `exec`. Those return the status of the container's program, 127 if it is
 * not found, 126 if it cannot be executed, and 125 if it was never started, as docker does.
 */
export const EXIT = { ok: 0, failed: 1, usage: 2, machine: 3, interrupted: 130 } as const

const NO_PROGRAM = 125

/** The exit status of a failed command, in place of one of ours. */
export function statusOf(status: number, command = process.argv[2]): number {
  const ours: number[] = [EXIT.failed, EXIT.usage, EXIT.machine]
  return (command === 'run' || command === 'exec') && ours.includes(status) ? NO_PROGRAM : status
}
