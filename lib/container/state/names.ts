import { closeSync, constants, openSync } from 'node:fs'
import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { dataFolder, makeDir } from '../../image/data-folder.ts'
import { F_OFD_SETLK } from '../../kernel/syscalls/constants.ts'
import { MinilabError } from '../../common/errors.ts'
import { quote } from '../../kernel/syscalls/kinds.ts'
import { now } from '../../kernel/syscalls/now.ts'
import { SyscallError } from '../../kernel/syscalls/syscall-error.ts'
import { states } from './state.ts'

/** A name that no container has, and that nobody else can take while it is held. */
export interface HeldName extends Disposable {
  name: string
}

/**
 * Holds the wanted name, or one made up, from now until the container's state says that it has it. Throws a usage error where it
 * is no name, or another container's: one that is there, or one that is being started at this moment.
 */
export function holdName(wanted: string | undefined): HeldName {
  if (wanted !== undefined && !/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(wanted))
    throw new MinilabError(
      'usage',
      `${quote(wanted)} is no name for a container`,
      'use letters, digits and _ . -, at most 128',
    )
  if (wanted !== undefined && /^[0-9a-f]{12}$/.test(wanted))
    throw new MinilabError(
      'usage',
      `${quote(wanted)} looks like the id of a container`,
      'choose a name that cannot be mistaken',
    )
  for (;;) {
    const name = wanted ?? `lab-${randomBytes(2).toString('hex')}`
    const lock = tryLock(name)
    const other = states().find(state => state.name === name)
    if (lock !== undefined && !other) return { name, [Symbol.dispose]: () => closeSync(lock) }
    if (lock !== undefined) closeSync(lock)
    if (wanted !== undefined)
      throw new MinilabError(
        'usage',
        `the name "${name}" is taken by ${other?.id ?? 'a container that is being started'}`,
        `minilab rm -f ${name}, or choose another`,
      )
  }
}

const F_WRLCK = 1
const SEEK_SET = 0

/**
 * A lock on one byte of a file that all commands share: which byte, the name says. Undefined where another process has it. The
 * lock goes with the descriptor, also where we are killed: fcntl(2), open file description locks.
 */
function tryLock(name: string): number | undefined {
  const folder = dataFolder()
  makeDir(folder)
  const fd = openSync(join(folder, 'names.lock'), constants.O_RDWR | constants.O_CREAT, 0o600)
  try {
    // struct flock: type and whence, where it begins, how many bytes, whose it is
    const lock = new DataView(new ArrayBuffer(32))
    lock.setInt16(0, F_WRLCK, true)
    lock.setInt16(2, SEEK_SET, true)
    lock.setBigInt64(8, BigInt(`0x${createHash('sha256').update(name).digest('hex').slice(0, 12)}`), true)
    lock.setBigInt64(16, 1n, true)
    now.fcntl(fd, F_OFD_SETLK, new Uint8Array(lock.buffer))
    return fd
  } catch (error) {
    closeSync(fd)
    if (error instanceof SyscallError && error.code === 'EAGAIN') return undefined
    throw error
  }
}
