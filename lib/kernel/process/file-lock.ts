import type { OpenMode } from 'node:fs'
import { type Descriptor, openFile } from '../../common/descriptor.ts'
import { F_OFD_SETLK, LOCK_EX, LOCK_NB } from '../syscalls/constants.ts'
import { now } from '../syscalls/now.ts'
import { SyscallError } from '../syscalls/syscall-error.ts'

// A lock belongs to the open file: the kernel takes it back when the last process that has it open closes it or dies.

/** Opens a file as openSync does, and waits for its lock: flock(2). */
export function openLocked(path: string, flags: OpenMode, mode?: number): Descriptor {
  const file = openFile(path, flags, mode)
  try {
    now.flock(file.fd, LOCK_EX)
    return file
  } catch (error) {
    file[Symbol.dispose]()
    throw error
  }
}

/** Takes the lock of an open file; false where another has it. */
export function tryLock(fd: number): boolean {
  return unlessHeld(() => now.flock(fd, LOCK_EX | LOCK_NB))
}

const F_WRLCK = 1
const SEEK_SET = 0

/** Takes the lock of one byte of an open file, which may lie behind its end: fcntl(2). False where another has it. */
export function tryLockByte(fd: number, offset: bigint): boolean {
  // struct flock: type and whence, where it begins, how many bytes, whose it is
  const lock = new DataView(new ArrayBuffer(32))
  lock.setInt16(0, F_WRLCK, true)
  lock.setInt16(2, SEEK_SET, true)
  lock.setBigInt64(8, offset, true)
  lock.setBigInt64(16, 1n, true)
  return unlessHeld(() => now.fcntl(fd, F_OFD_SETLK, new Uint8Array(lock.buffer)))
}

function unlessHeld(take: () => void): boolean {
  try {
    take()
    return true
  } catch (error) {
    if (error instanceof SyscallError && error.code === 'EAGAIN') return false
    throw error
  }
}
