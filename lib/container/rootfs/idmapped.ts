import { existsSync, realpathSync } from 'node:fs'
import { openFile, closing, type Descriptor } from '../../common/descriptor.ts'
import { MinilabError } from '../../common/errors.ts'
import { mountOf } from '../../kernel/mount/mountinfo.ts'
import { writeIdMaps } from '../../kernel/process/id-maps.ts'
import { AT_EMPTY_PATH, CLONE_NEWUSER, MOUNT_ATTR_IDMAP } from '../../kernel/syscalls/constants.ts'
import { now } from '../../kernel/syscalls/now.ts'
import { SyscallError } from '../../kernel/syscalls/syscall-error.ts'
import { Gate } from '../../kernel/tape/gate.ts'
import { type Launched, stayDumpable } from '../../kernel/tape/launch.ts'
import { launchGated } from '../../kernel/tape/launch-gated.ts'
import { Tape } from '../../kernel/tape/tape.ts'
import type { Container } from '../part.ts'
import { idMapLines, type IdMapping, type MountSpec, type Spec } from '../spec.ts'
import { mountAttributes } from './mount-attributes.ts'
import { mountOptions } from './mount-options.ts'

/** The maps of mounts: each is a user namespace that exists only as an open descriptor. */
export interface IdMaps extends Disposable {
  maps: ReadonlyMap<MountSpec, Descriptor>
}

/** Whether the owners of its files are translated: runtime-spec 1.2, config.md, "Mounts". */
export const isIdmapped = ({ options, uidMappings, gidMappings }: MountSpec): boolean =>
  mountOptions(options).idMap !== undefined || Boolean(uidMappings?.length || gidMappings?.length)

/** Makes a user namespace for each mount that has its own map. The others with mapped ids use the container's. */
export async function makeIdMaps({ mounts }: Spec): Promise<IdMaps> {
  const maps = new Map<MountSpec, Descriptor>()
  const made = { maps, [Symbol.dispose]: () => maps.forEach(map => map[Symbol.dispose]()) }
  try {
    for (const mount of mounts) {
      const { uidMappings, gidMappings } = mount
      if (uidMappings?.length && gidMappings?.length)
        maps.set(mount, await namespaceWith(mount, uidMappings, gidMappings))
    }
  } catch (error) {
    made[Symbol.dispose]()
    throw error
  }
  return made
}

/** A child makes the namespace and ends: from then on our descriptor keeps it, user_namespaces(7). */
async function namespaceWith(
  { destination }: MountSpec,
  uids: IdMapping[],
  gids: IdMapping[],
): Promise<Descriptor> {
  const tape = new Tape()
  const gate = new Gate()
  gate.record(tape)
  let namespace: Descriptor | undefined
  try {
    const { child, failed } = await launchGated(tape, gate, CLONE_NEWUSER, [
      launched => {
        writeIdMaps(launched.pid(), idMapLines(uids), idMapLines(gids))
        namespace = openFile(`/proc/${launched.pid()}/ns/user`, 'r')
      },
    ])
    await child.exit
    if (failed) throw failed
  } catch (error) {
    namespace?.[Symbol.dispose]()
    if (!(error instanceof SyscallError)) throw error
    throw new MinilabError(
      'usage',
      `mounts[].uidMappings and gidMappings (${destination}): the kernel refuses this map (${error.code})`,
      'correct the map: user_namespaces(7)',
      { cause: error },
    )
  }
  if (!namespace)
    throw new MinilabError('machine', 'the child that makes an id map has ended early', 'try it again')
  return namespace
}

/**
 * Maps the ids of the copies that the container's child has taken and that no process can see yet. Only we can do it: mount_setattr(2)
 * demands CAP_SYS_ADMIN over the file system, which the child lacks in its own user namespace. But only a copy made by the child keeps
 * read-only and nosuid mounts of the host locked: mount_namespaces(7). So the child waits, and we get its descriptor.
 */
export function mapIds(
  { idmapped = new Map() }: Pick<Container, 'idmapped'>,
  { maps }: IdMaps,
  launched: Launched,
  { pid, pidfd }: { pid: number; pidfd: number },
): void {
  stayDumpable() // as for the terminal: ptrace(2), "access mode checking"
  using own = openFile(`/proc/${pid}/ns/user`, 'r')
  for (const [mount, taken] of idmapped) {
    using copy = closing(now.pidfd_getfd(pidfd, launched.result(taken), 0))
    const attr = mountAttributes(MOUNT_ATTR_IDMAP, { userNamespace: (maps.get(mount) ?? own).fd })
    try {
      now.mount_setattr(
        copy.fd,
        '',
        AT_EMPTY_PATH | (mountOptions(mount.options).idMap ?? 0),
        attr,
        attr.length,
      )
    } catch (error) {
      throw error instanceof SyscallError ? inWords(mount, error) : error
    }
  }
}

/** can_idmap_mount(), fs/namespace.c */
function inWords({ source = '', destination, options }: MountSpec, refused: SyscallError): Error {
  const type = existsSync(source) ? mountOf(realpathSync(source))?.type : undefined
  const which = `${source}${type ? `, ${type},` : ''}${mountOptions(options).idMap ? ' or of a mount below it' : ''}`
  const reasons: Record<string, string> = {
    EINVAL: `the file system of ${which} does not support mapped ids`,
    EPERM: `the ids of ${source} are mapped already, or we lack CAP_SYS_ADMIN in the user namespace that mounted its file system`,
  }
  const reason = reasons[refused.code]
  if (!reason) return refused
  return new MinilabError(
    'usage',
    `the mount ${destination} cannot have mapped ids (${refused.code}): ${reason}`,
    'leave out uidMappings, gidMappings and idmap, or choose another source',
    { cause: refused },
  )
}
