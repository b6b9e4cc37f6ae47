import { now } from '../kernel/syscalls/now.ts'
import { SyscallError } from '../kernel/syscalls/syscall-error.ts'

const EMPTY = new Uint8Array()

/** The extended attributes of a file by name, sorted; empty if the file system has none. Does not follow a link. */
export function readXattrs(path: string): Map<string, Buffer> {
  // llistxattr(2): with size 0 it returns the size that is needed
  const size = supported(() => now.llistxattr(path, EMPTY, 0))
  if (!size) return new Map()
  const list = Buffer.alloc(size)
  now.llistxattr(path, list, size)
  const names = list.toString().split('\0').filter(Boolean).sort()
  return new Map(names.map(name => [name, readXattr(path, name)]))
}

/** Sets an extended attribute. Throws the SyscallError: EPERM if that needs more privilege. */
export function writeXattr(path: string, name: string, value: Uint8Array): void {
  now.lsetxattr(path, name, value, value.length, 0)
}

function readXattr(path: string, name: string): Buffer {
  const value = Buffer.alloc(now.lgetxattr(path, name, EMPTY, 0))
  now.lgetxattr(path, name, value, value.length)
  return value
}

function supported(call: () => number): number | undefined {
  try {
    return call()
  } catch (error) {
    if (error instanceof SyscallError && error.code === 'EOPNOTSUPP') return undefined
    throw error
  }
}
