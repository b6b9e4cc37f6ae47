import { MinilabError } from '../common/errors.ts'
import { has, type NamespaceType, type Spec } from './spec.ts'

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
export const DONE_IF_HELD = ['hooks', 'process.scheduler', 'process.ioPriority', 'linux.personality']

/** Mounts whose ids are mapped: mount_setattr(2), "ID-mapped mounts". */
export const MOUNT_NOT_DONE = ['uidMappings', 'gidMappings']
const IDMAP = ['idmap', 'ridmap']

/** Throws a usage error that names a field that we know and do not implement. Empty fields ask for nothing. `done`: by the caller. */
export function refuseUndone(spec: Spec, done: readonly string[] = []): void {
  for (const field of NOT_DONE.filter(name => !done.includes(name))) {
    const value = field
      .split('.')
      .reduce<unknown>((at, name) => (at as Record<string, unknown>)?.[name], spec)
    if (asksForSomething(value) || (field === 'linux.netDevices' && Object.keys(value ?? {}).length))
      throw new MinilabError('usage', `minilab does not support ${field}`, 'leave it out of the spec')
  }
  for (const { destination, ...mount } of spec.mounts)
    for (const field of MOUNT_NOT_DONE)
      if (
        asksForSomething((mount as Record<string, unknown>)[field]) ||
        mount.options?.some(option => IDMAP.includes(option))
      )
        throw new MinilabError(
          'usage',
          `minilab does not support mounts[].${field} (${destination})`,
          'leave it out of the spec',
        )
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
