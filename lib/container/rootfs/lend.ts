import type { Gate } from '../../kernel/tape/gate.ts'
import { statSync } from 'node:fs'
import { MinilabError } from '../../common/errors.ts'
import type { Later, Tape } from '../../kernel/tape/tape.ts'
import { maskedFilesOfImage } from './cover.ts'
import { DEVICES, devicesFor, makedev } from './devices.ts'
import { isIdmapped } from './idmapped.ts'
import { type Lent, mounting, take } from './mount-copy.ts'
import { hasOwnDev, inUserNamespace, isBind } from './mount-kinds.ts'
import { makeReadOnly } from './mount-attributes.ts'
import type { Container } from '../part.ts'
import { has, type MountSpec } from '../spec.ts'

/** Opens what the host lends, while its paths can still be reached: open_tree(2). */
export function borrow(tape: Tape, container: Container, gate: Gate): Lent {
  const { spec, cgroup } = container
  const lent: Lent = new Map()
  // cgroup_namespaces(7): without one of its own, a new mount would show the cgroups of the whole machine
  if (!has(spec, 'cgroup') && spec.mounts.some(({ type }) => type === 'cgroup'))
    for (const { path } of cgroup?.folders ?? []) lent.set(`cgroup ${path}`, take(tape, { source: path }))
  for (const mount of spec.mounts.filter(isBind)) {
    tape.about = mounting(mount)
    lent.set(mount, take(tape, mount))
  }
  mapped(tape, container, lent, gate)
  tape.about = ''
  // user_namespaces(7): no device nodes can be made in a user namespace, but the host's can be bind-mounted
  if (inUserNamespace(spec) && hasOwnDev(spec))
    for (const { path } of devicesFor(spec)) lent.set(path, takeDevice(tape, checked(path)))
  // the image's /dev/null may be anything, even a link to the file that it should mask: CVE-2025-31133
  for (const path of maskedFilesOfImage(container)) lent.set(path, takeDevice(tape, checked('/dev/null')))
  return lent
}

/** Waits until the parent has mapped the ids of the copies that are to have it: idmapped.ts, mapIds(). */
function mapped(tape: Tape, container: Container, lent: Lent, gate: Gate): void {
  const copies = [...lent].filter(
    (entry): entry is [MountSpec, Later] => typeof entry[0] === 'object' && isIdmapped(entry[0]),
  )
  if (copies.length === 0) return
  container.idmapped = new Map(copies)
  gate.record(tape)
}

/**
 * A device of the host that can be used but not changed: on a read-only mount no process can chmod or chown the node, which root with
 * the same uid outside otherwise could. Writing to the device does not count as writing to the file system.
 */
function takeDevice(tape: Tape, path: string): Later {
  const device = take(tape, { source: path })
  makeReadOnly(tape, device)
  return device
}

/** The path. Throws a MinilabError (machine) if a default device is not what its name says: a file in its place keeps what is written. */
function checked(path: string): string {
  const expected = DEVICES.find(device => device.path === path)
  if (!expected) return path
  const { major = 0, minor = 0 } = expected
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isCharacterDevice() && found.rdev === makedev(major, minor)) return path
  throw new MinilabError(
    'machine',
    `${path} of this machine is ${found ? 'not the device' : 'missing: the device'} ${major}:${minor}`,
    `as root: rm -f ${path}; mknod -m 666 ${path} c ${major} ${minor}`,
  )
}
