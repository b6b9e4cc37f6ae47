import { readFileSync, writeFileSync } from 'node:fs'
import { diagnoseWrite } from '../syscalls/diagnose-write.ts'
import { SyscallError } from '../syscalls/syscall-error.ts'
import { errnoNumber } from '../../common/errno.ts'

/**
 * Writes one value to a file that controls the kernel (uid_map, cgroup.procs, sysctls), in one write(2).
 * Throws a SyscallError with cause and remedy.
 */
export function writeControl(path: string, value: string | number): void {
  const text = typeof value === 'number' ? String(value) : value
  try {
    writeFileSync(path, text, { flag: 'r+' }) // never creates: a missing control file is an error
  } catch (error) {
    const { code = '', syscall = 'write', errno } = error as NodeJS.ErrnoException
    if (errno === undefined) throw error // the caller's error: no text to write
    const args =
      syscall === 'open' ? JSON.stringify(path) : `${JSON.stringify(path)}, ${JSON.stringify(text)}`
    throw new SyscallError(syscall, args, errnoNumber(code), undefined, diagnoseWrite(path, code, text))
  }
}

/** Reads a control file, without its final newline. */
export function readControl(path: string): string {
  return readFileSync(path, 'utf8').trimEnd()
}
