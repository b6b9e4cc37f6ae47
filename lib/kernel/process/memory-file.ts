import {
  F_ADD_SEALS,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  MFD_EXEC,
  MFD_NOEXEC_SEAL,
} from '../syscalls/constants.ts'
import { now } from '../syscalls/now.ts'
import { SyscallError } from '../syscalls/syscall-error.ts'

/** F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW and F_SEAL_WRITE: linux/fcntl.h. No file has these by accident. */
export const SEALED = 0xf

/**
 * A file that exists only in memory: memfd_create(2). Returns a close-on-exec descriptor; the caller closes it. Throws a SyscallError, for a
 * program EACCES where the kernel does not allow executing such a file.
 */
export function memoryFile(name: string, use: 'data' | 'program'): number {
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING
  try {
    return now.memfd_create(name, flags | (use === 'program' ? MFD_EXEC : MFD_NOEXEC_SEAL))
  } catch (error) {
    if (error instanceof SyscallError && error.code === 'EINVAL') return now.memfd_create(name, flags) // before Linux 6.3
    throw error
  }
}

/** From here on no process can change the file: fcntl(2), "File Sealing". */
export function seal(fd: number): void {
  now.fcntl(fd, F_ADD_SEALS, SEALED)
}
