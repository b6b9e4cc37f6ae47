import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  statSync,
  unlinkSync,
} from 'node:fs'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { dataFolder, makeDir } from '../image/data-folder.ts'
import { LOCK_EX, LOCK_NB } from '../kernel/constants.ts'
import { UsageError } from '../kernel/errors.ts'
import { quote } from '../kernel/kinds.ts'
import { now } from '../kernel/now.ts'
import { SyscallError } from '../kernel/syscall-error.ts'
import { states } from './state.ts'

/** A name that no container has, and that nobody else can take while it is held. */
export interface HeldName extends Disposable {
  name: string
}

/**
 * Holds the wanted name, or one made up, from now until the container's state says that it has it. Throws a UsageError where it
 * is no name, or another container's: one that is there, or one that is being started at this moment.
 */
export function holdName(wanted: string | undefined): HeldName {
  if (wanted !== undefined && !/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(wanted))
    throw new UsageError(
      `${quote(wanted)} is no name for a container`,
      'use letters, digits and _ . -, at most 128',
    )
  for (;;) {
    const name = wanted ?? `lab-${randomBytes(2).toString('hex')}`
    const lock = tryLock(name)
    const other = states().find(state => state.name === name)
    if (lock !== undefined && !other) return { name, [Symbol.dispose]: () => unlock(name, lock) }
    if (lock !== undefined) unlock(name, lock)
    if (wanted !== undefined)
      throw new UsageError(
        `the name "${name}" is taken by ${other?.id ?? 'a container that is being started'}`,
        `minilab rm -f ${name}, or choose another`,
      )
  }
}

/**
 * Removes what a command has left that was killed while it held a name; says what. One that is younger than `age` may be about to
 * be locked.
 */
export function removeAbandonedNames(age = 0): string[] {
  const folder = join(dataFolder(), 'names')
  if (!existsSync(folder)) return []
  return readdirSync(folder).flatMap(name => {
    const { mtimeMs = Infinity } = statSync(pathOf(name), { throwIfNoEntry: false }) ?? {}
    if (Date.now() - mtimeMs < age) return []
    const lock = tryLock(name)
    if (lock === undefined) return []
    unlock(name, lock)
    return [`name ${name}`]
  })
}

const pathOf = (name: string) => join(dataFolder(), 'names', name)

/** The lock on a file of that name: flock(2). Undefined where another process has it. */
function tryLock(name: string): number | undefined {
  const path = pathOf(name)
  makeDir(join(path, '..'))
  for (;;) {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
    try {
      now.flock(fd, LOCK_EX | LOCK_NB)
    } catch (error) {
      closeSync(fd)
      if (error instanceof SyscallError && error.code === 'EAGAIN') return undefined
      throw error
    }
    // whoever had it has removed the file since we opened it: our lock is on nothing
    if (statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(fd).ino) return fd
    closeSync(fd)
  }
}

function unlock(name: string, lock: number): void {
  unlinkSync(pathOf(name))
  closeSync(lock)
}
