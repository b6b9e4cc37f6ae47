import type { Later, Tape } from '../../kernel/tape/tape.ts'
import { maskedFilesOfImage } from './cover.ts'
import { DEVICES } from './devices.ts'
import { type Lent, take } from './mount-copy.ts'
import { hasOwnDev, inUserNamespace, isBind } from './mount-kinds.ts'
import { makeReadOnly } from './mount-attributes.ts'
import type { Spec } from '../spec.ts'

/** Takes hold of what the host lends, as long as its paths can be reached: open_tree(2). */
export function borrow(tape: Tape, spec: Spec): Lent {
  const lent: Lent = new Map()
  for (const mount of spec.mounts) if (isBind(mount)) lent.set(mount, take(tape, mount))
  // user_namespaces(7): no device nodes can be made in one, but the host's can be bound
  if (inUserNamespace(spec) && hasOwnDev(spec))
    for (const { path } of DEVICES) lent.set(path, takeDevice(tape, path))
  // a /dev/null of the image may be anything, even a link to what is to be covered: CVE-2025-31133
  for (const path of maskedFilesOfImage(spec)) lent.set(path, takeDevice(tape, '/dev/null'))
  return lent
}

/**
 * A device of the host, to be used and not to be changed: a read-only mount lets nobody chmod or chown the node, as root could
 * whose uid is the same outside; writing to the device is no writing to the file system.
 */
function takeDevice(tape: Tape, path: string): Later {
  const device = take(tape, { source: path })
  makeReadOnly(tape, device)
  return device
}
