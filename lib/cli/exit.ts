/** Exit statuses, the same for every command. Those of a container's program are its own (127 not found, 126 not executable). */
export const EXIT = { ok: 0, failed: 1, usage: 2, machine: 3, interrupted: 130 } as const
