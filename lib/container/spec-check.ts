import { MinilabError } from '../common/errors.ts'
import { isIdmapped } from './rootfs/idmapped.ts'
import { isBind } from './rootfs/mount-kinds.ts'
import { has, type MountSpec, type NamespaceType, type Spec } from './spec.ts'

/**
 * Fields of the OCI specification that we do not implement: config.md, config-linux.md. A runtime ignores fields that it does not know,
 * and refuses those that it knows and cannot apply: no user may rely on a protection that has no effect.
 */
export const NOT_DONE = [
  'hooks',
  'process.apparmorProfile',
  'process.selinuxLabel',
  'process.scheduler',
  'process.ioPriority',
  'process.execCPUAffinity',
  'linux.intelRdt',
  'linux.mountLabel',
  'linux.personality',
  'linux.netDevices',
  'linux.resources.network',
  'linux.resources.memory.kernel',
  'linux.resources.memory.checkBeforeUpdate',
  'linux.resources.memory.useHierarchy',
  'linux.resources.blockIO.leafWeight',
  'linux.seccomp.listenerPath',
  'linux.seccomp.listenerMetadata',
]

/** What engines add to a container that is only created, and `minilab run` has no way to ask for. */
export const DONE_IF_HELD = [
  'hooks',
  'process.scheduler',
  'process.ioPriority',
  'linux.personality',
  'linux.seccomp.listenerPath',
  'linux.seccomp.listenerMetadata',
]

/** Throws a usage error that names a field that we know and do not implement. Empty fields ask for nothing. `done`: by the caller. */
export function refuseUndone(spec: Spec, done: readonly string[] = []): void {
  for (const field of NOT_DONE.filter(name => !done.includes(name))) {
    const value = field
      .split('.')
      .reduce<unknown>((at, name) => (at as Record<string, unknown>)?.[name], spec)
    if (asksForSomething(value) || (field === 'linux.netDevices' && Object.keys(value ?? {}).length))
      throw new MinilabError('usage', `minilab does not support ${field}`, 'leave it out of the spec')
  }
  spec.mounts.forEach(mount => refuseIdMap(spec, mount))
  for (const name of Object.keys(spec.linux.sysctl ?? {})) {
    const [, namespace] = DIVIDED.find(([pattern]) => pattern.test(name)) ?? []
    if (!namespace || !has(spec, namespace))
      throw new MinilabError(
        'usage',
        `linux.sysctl: ${name} would change the whole machine${namespace ? `, without a namespace of type ${namespace}` : ''}`,
        'leave it out of the spec',
      )
  }
}

/** Throws a usage error for a mount whose ids cannot be mapped: runtime-spec 1.2, config.md, "Mounts", and mount_setattr(2). */
function refuseIdMap(spec: Spec, mount: MountSpec): void {
  const { destination, options = [], uidMappings = [], gidMappings = [] } = mount
  const refuse = (what: string, remedy: string) => {
    throw new MinilabError('usage', `the mount ${destination} cannot have mapped ids: ${what}`, remedy)
  }
  const withMap = options.find(option => /^r?idmap=/.test(option))
  if (withMap) refuse(`${withMap} is an option of crun only`, 'write the map as uidMappings and gidMappings')
  if (!isIdmapped(mount)) return
  if (!isBind(mount)) refuse('it is no bind mount', 'leave out uidMappings, gidMappings and idmap')
  if (Boolean(uidMappings.length) !== Boolean(gidMappings.length))
    refuse('it needs both uidMappings and gidMappings', 'write both, or neither')
  if (!uidMappings.length && !has(spec, 'user'))
    refuse('there is no map, and no user namespace', 'write uidMappings and gidMappings')
}

/** The settings that each container can have for itself, and the namespace that isolates each. */
const DIVIDED: [RegExp, NamespaceType][] = [
  [/^net\./, 'network'],
  [/^fs\.mqueue\./, 'ipc'],
  [/^kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)$/, 'ipc'],
  [/^kernel\.(hostname|domainname)$/, 'uts'],
]

function asksForSomething(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0
  if (typeof value === 'object' && value !== null) return Object.values(value).some(asksForSomething)
  return Boolean(value)
}
