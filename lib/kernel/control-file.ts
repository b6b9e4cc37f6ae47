import { readFileSync, writeFileSync } from 'node:fs'
import { diagnoseWrite } from './diagnose.ts'
import { SyscallError } from './syscall-error.ts'
import { errnoNumber } from './errno.ts'

/**
 * Writes one value to a file by which the kernel is told something (uid_map, cgroup.procs, sysctls), in one write(2).
 * Throws a SyscallError with cause and remedy.
 */
export function writeControl(path: string, value: string): void {
  try {
    writeFileSync(path, value, { flag: 'r+' }) // never creates: a missing control file is an error
  } catch (error) {
    const { code = '', syscall = 'write' } = error as NodeJS.ErrnoException
    const args =
      syscall === 'open' ? JSON.stringify(path) : `${JSON.stringify(path)}, ${JSON.stringify(value)}`
    throw new SyscallError(syscall, args, errnoNumber(code), undefined, diagnoseWrite(path, code))
  }
}

/** Reads a control file, without its final newline. */
export function readControl(path: string): string {
  return readFileSync(path, 'utf8').trimEnd()
}
