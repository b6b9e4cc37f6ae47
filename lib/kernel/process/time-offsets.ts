import { isAtLeast } from './kernel-version.ts'

/** Why a container cannot have clocks that differ from the machine's here. */
export const OFFSETS_REFUSED = {
  reason:
    'before Linux 6.2 a child that shares our memory enters its time namespace at the clone, which settles its clocks',
  remedy: 'use Linux 6.2 or later, or leave the offsets out',
}

/**
 * Whether offsets can be written while our child waits at the gate. Until its execve it has our memory, and only since
 * Linux 6.2 does a process enter its time namespace at the execve: exec_task_namespaces() in kernel/nsproxy.c.
 */
export const offsetsPossible = (kernel?: string): boolean => isAtLeast('6.2', kernel)
