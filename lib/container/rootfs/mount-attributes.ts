import { AT_EMPTY_PATH, AT_FDCWD, MOUNT_ATTR_RDONLY } from '../../kernel/syscalls/constants.ts'
import type { Later, Tape } from '../../kernel/tape/tape.ts'

/** Makes a mount read-only, given its path or a descriptor. */
export function makeReadOnly(tape: Pick<Tape, 'mount_setattr'>, mount: string | Later): void {
  setAttributes(tape, mount, MOUNT_ATTR_RDONLY)
}

/**
 * Sets attributes of a mount, and leaves the others as they are: mount_setattr(2). With AT_RECURSIVE as `depth`, also of all mounts
 * below it. The kernel allows everything that makes a mount stricter, even if the mount is locked.
 */
export function setAttributes(
  tape: Pick<Tape, 'mount_setattr'>,
  mount: string | Later,
  attributes: number,
  { depth = 0, propagation = 0 } = {},
): void {
  const attr = mountAttributes(attributes, { propagation })
  if (typeof mount === 'string') tape.mount_setattr(AT_FDCWD, mount, depth, attr, attr.length)
  else tape.mount_setattr(mount, '', AT_EMPTY_PATH | depth, attr, attr.length)
}

/** struct mount_attr: attr_set, attr_clr, propagation, userns_fd */
export const mountAttributes = (attributes: number, { propagation = 0, userNamespace = 0 }): Uint8Array =>
  new Uint8Array(new BigUint64Array([attributes, 0, propagation, userNamespace].map(BigInt)).buffer)
