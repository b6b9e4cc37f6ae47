import { fnv1a } from '../../common/hash.ts'
import { constants } from 'node:fs'
import { join } from 'node:path'
import { dataFolder, makeDir } from '../../image/data-folder.ts'
import { type Descriptor, openFile } from '../../common/descriptor.ts'
import { MinilabError } from '../../common/errors.ts'
import { quote } from '../../kernel/syscalls/argument-kinds.ts'
import { tryLockByte } from '../../kernel/process/file-lock.ts'
import { states } from './state.ts'
import { randomHex } from '../../kernel/process/random.ts'

/** A name that no container has, and that no other process can take while it is held. */
export interface HeldName extends Disposable {
  name: string
}

/**
 * Holds the wanted name, or an invented one, from now until the container's state contains it. Throws a usage error if it
 * is not a valid name, or belongs to another container that exists or is just being started.
 */
export function holdName(wanted: string | undefined): HeldName {
  if (wanted !== undefined && !/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(wanted))
    throw new MinilabError(
      'usage',
      `${quote(wanted)} is not a valid container name`,
      'use at most 128 letters, digits and _ . -',
    )
  if (wanted !== undefined && /^[0-9a-f]{12}$/.test(wanted))
    throw new MinilabError(
      'usage',
      `${quote(wanted)} looks like the id of a container`,
      'choose a name that does not look like an id',
    )
  for (;;) {
    const name = wanted ?? `lab-${randomHex(2)}`
    const lock = lockName(name)
    const other = states().find(state => state.name === name)
    if (lock && !other) return { name, ...lock }
    lock?.[Symbol.dispose]()
    if (wanted !== undefined)
      throw new MinilabError(
        'usage',
        `the name "${name}" is taken by ${other?.id ?? 'a container that is being started'}`,
        `minilab rm -f ${name}, or choose another`,
      )
  }
}

/** Locks one byte of a file that all commands share; the name determines the byte. Undefined if another process holds it. */
function lockName(name: string): Descriptor | undefined {
  const folder = dataFolder()
  makeDir(folder)
  const byte = fnv1a(name) & 0xffff_ffff_ffffn // an offset in a file: at most 63 bits
  const file = openFile(join(folder, 'names.lock'), constants.O_RDWR | constants.O_CREAT, 0o600)
  if (tryLockByte(file.fd, byte)) return file
  file[Symbol.dispose]()
  return undefined
}
