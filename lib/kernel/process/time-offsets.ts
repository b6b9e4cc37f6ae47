import { release } from 'node:os'

/** Why a container of ours cannot have clocks that differ from the machine's. */
export const OFFSETS_REFUSED = {
  reason:
    'before Linux 6.2 a child that shares our memory enters its time namespace at the clone, which settles its clocks',
  remedy: 'a kernel from 6.2 on; without one, leave the offsets out',
}

/**
 * Whether offsets can be written while our child waits at the gate. Its memory is ours until its execve, and only since
 * Linux 6.2 is it the execve with which it enters its time namespace: exec_task_namespaces() in kernel/nsproxy.c.
 */
export function offsetsPossible(kernel = release()): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map(Number)
  return major > 6 || (major === 6 && minor >= 2)
}
