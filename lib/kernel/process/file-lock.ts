import type { OpenMode } from 'node:fs'
import { type Descriptor, openFile } from '../../common/descriptor.ts'
import { F_OFD_SETLK, LOCK_EX, LOCK_NB } from '../syscalls/constants.ts'
import { now } from '../syscalls/now.ts'
import { SyscallError } from '../syscalls/syscall-error.ts'

// A lock belongs to the open file: the kernel releases it when the last process that has it open closes it or dies.

/** Opens a file like openSync, and waits for its lock: flock(2). */
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

/** Locks an open file; false if another process holds the lock. */
export function tryLock(fd: number): boolean {
  return unlessHeld(() => now.flock(fd, LOCK_EX | LOCK_NB))
}

const F_WRLCK = 1
const SEEK_SET = 0

/** Locks one byte of an open file, which may lie beyond its end: fcntl(2). False if another process holds the lock. */
export function tryLockByte(fd: number, offset: bigint): boolean {
  // struct flock: type and whence, start, length, owner
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
