import { AT_EMPTY_PATH, AT_FDCWD, MOUNT_ATTR_RDONLY } from '../kernel/constants.ts'
import type { Later, Tape } from '../kernel/tape.ts'

// struct mount_attr: attr_set, attr_clr, propagation, userns_fd
const READ_ONLY = new Uint8Array(new BigUint64Array([BigInt(MOUNT_ATTR_RDONLY), 0n, 0n, 0n]).buffer)

/** Makes a mount read-only, known by its path, or by a descriptor. */
export function makeReadOnly(tape: Pick<Tape, 'mount_setattr'>, mount: string | Later): void {
  if (typeof mount === 'string') tape.mount_setattr(AT_FDCWD, mount, 0, READ_ONLY, READ_ONLY.length)
  else tape.mount_setattr(mount as never, '', AT_EMPTY_PATH, READ_ONLY, READ_ONLY.length)
}
