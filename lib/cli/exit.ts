/**
 * Exit statuses, the same for every command but `run` and `exec`: theirs is that of the container's program, 127 where that is not
 * found, 126 where it cannot be executed, and 125 where it did not come to that, as with docker.
 */
export const EXIT = { ok: 0, failed: 1, usage: 2, machine: 3, interrupted: 130 } as const

const NO_PROGRAM = 125

/** The exit status of a command that has failed, in place of one of ours. */
export function statusOf(status: number, command = process.argv[2]): number {
  const ours: number[] = [EXIT.failed, EXIT.usage, EXIT.machine]
  return (command === 'run' || command === 'exec') && ours.includes(status) ? NO_PROGRAM : status
}
