import { release } from 'node:os'
import { join } from 'node:path'
import { NAMESPACE_TYPES } from '../../container/default-spec.ts'
import { hardening } from '../../container/parts/hardening.ts'
import { layers, overlayRefused } from '../../container/parts/layers.ts'
import { limits } from '../../container/parts/limits.ts'
import { root } from '../../container/parts/root.ts'
import { defaultProfile } from '../../container/seccomp/seccomp-default.ts'
import type { NamespaceType } from '../../container/spec.ts'
import { writeXattr } from '../../image/xattr.ts'
import { defaultCapabilities } from '../../kernel/process/capabilities.ts'
import { cgroupMode, hierarchies, hierarchyOf } from '../../kernel/cgroup/cgroupfs.ts'
import { CLOSE_RANGE_CLOEXEC, LAST_FD } from '../../kernel/syscalls/constants.ts'
import { mountOf } from '../../kernel/mount/mountinfo.ts'
import { ok, OWN_MACHINE, type Probe, withOtherFolder } from './probe.ts'
import { isWholeMap, sysctl } from './surroundings.ts'
import { answerOf, attempt, reasonOf, refusalOf, remedyOf } from './trial.ts'
import { explainUserNamespaces } from './user-namespaces.ts'

/** What containers are made of. Each probe tries it with the part that the steps use; if that fails, /proc and /sys tell the reason. */
export const containerProbes: Probe[] = [
  {
    id: 'kernel',
    title: 'kernel',
    async look(machine) {
      const name = `Linux ${release()}`
      // every container of ours begins with clone3 and close_range; the newest flag of close_range is from 5.11
      const refusal = await attempt(machine, {
        namespaceTypes: [],
        inside: tape => void tape.close_range(3, LAST_FD, CLOSE_RANGE_CLOEXEC),
      })
      if (!refusal) return ok(name)
      const { filtered } = machine.around
      const found = `${name}: ${answerOf(refusal)}${filtered ? ', perhaps by a seccomp filter' : ''}`
      return {
        ok: 'blocked',
        found,
        fix: filtered ? OWN_MACHINE : 'sudo apt full-upgrade (Linux 5.11 or later)',
      }
    },
  },

  {
    id: 'user-namespaces',
    title: 'user namespaces',
    after: ['kernel'],
    async look(machine) {
      // with a mount namespace too: if the new root got no capabilities, making its mounts private fails
      const refusal = await attempt(machine, { namespaceTypes: ['user', 'mount'] })
      if (!refusal) return ok(`may be made${machine.rootless ? ' by ordinary users' : ''}`)
      const { uidMap, mark } = machine.around
      const evidence = { sysctl, uidMap, container: mark, refusal: answerOf(refusal) }
      return { ok: 'blocked', ...explainUserNamespaces(machine.rootless, evidence) }
    },
  },

  {
    id: 'namespaces',
    title: 'other namespaces',
    after: ['user-namespaces'],
    async look(machine) {
      const namespaceTypes = NAMESPACE_TYPES.filter(kind => kind !== 'user')
      const refusal = await attempt(machine, {})
      if (!refusal) return ok(namespaceTypes.join(', '))
      const refusedTypes: NamespaceType[] = []
      for (const kind of namespaceTypes)
        if (await attempt(machine, { namespaceTypes: ['user', kind] })) refusedTypes.push(kind)
      // namespaces(7), "The /proc/sys/user directory"
      const [capped] = refusedTypes.map(limitOn).filter(limit => sysctl(`user/${limit}`) === '0')
      const found = refusedTypes.length ? `refused: ${refusedTypes.join(', ')}` : answerOf(refusal)
      const fix = capped ? `sudo sysctl -w user.${capped}=15000` : (remedyOf(refusal) ?? OWN_MACHINE)
      return { ok: 'blocked', found, fix }
    },
  },

  {
    id: 'root',
    title: 'its own root',
    after: ['namespaces', 'disk'],
    async look(machine) {
      const refusal = await attempt(machine, {
        parts: [root],
        change: container => void (container.rootfs = join(machine.folder, 'rootfs')),
      })
      if (!refusal) return ok('pivot_root, with a new /proc, /dev and /sys')
      return { ok: 'blocked', found: reasonOf(refusal), fix: remedyOf(refusal) ?? OWN_MACHINE }
    },
  },

  {
    id: 'image-root',
    title: 'an image as root',
    after: ['root'],
    // before chapters use layers, the image's own directory is the root, read-only
    async look(machine) {
      const rootfs = join(machine.folder, 'rootfs')
      const type = mountOf(rootfs)?.type
      if (mountOf(rootfs)?.options.includes('noexec')) {
        const found = `no program may run from ${machine.dataFolder} (${type}, mounted with noexec)`
        return { ok: 'blocked', found, fix: withOtherFolder() }
      }
      const refusal = await attempt(machine, {
        parts: [root],
        change(container) {
          container.rootfs = rootfs
          container.spec.root.readonly = true
        },
      })
      if (!refusal) return ok(`works on ${type}`)
      return { ok: 'blocked', found: reasonOf(refusal), fix: remedyOf(refusal) ?? withOtherFolder() }
    },
  },

  {
    id: 'cgroups',
    title: 'control groups',
    after: ['kernel', 'disk'],
    async look(machine) {
      const version = hierarchyOf('memory')?.version
      const mode = cgroupMode()
      const refusal = await attempt(machine, { namespaceTypes: [], parts: [limits] })
      if (!refusal) return ok(`${mode}${mode === 'hybrid' ? `, memory on v${version}` : ''}`)
      const { readOnly, uidMap } = machine.around
      const writable = !hierarchies().some(({ mount }) => readOnly.includes(mount))
      const sudo = machine.rootless && isWholeMap(uidMap) && version !== undefined && writable
      let fix = remedyOf(refusal) ?? OWN_MACHINE
      // only root may write to v1's cgroups, and delegating a part of them is not safe
      if (sudo && version === 1) fix = 'sudo ./minilab step 4'
      return { ok: 'limited', found: `${mode}: ${reasonOf(refusal)}`, fix, sudo }
    },
  },

  {
    id: 'overlay',
    title: 'overlay',
    after: ['user-namespaces', 'disk'],
    async look(machine) {
      const { folder, dataFolder } = machine
      const refusal = await attempt(machine, {
        namespaceTypes: ['user', 'mount'],
        parts: [layers],
        change: container => {
          container.layers = { lower: [join(folder, 'lower')], folder: join(folder, 'own') }
          container.rootfs = join(folder, 'own/merged')
        },
      })
      if (refusal) {
        const explained = overlayRefused(refusal) ?? refusal
        return { ok: 'blocked', found: reasonOf(explained), fix: remedyOf(explained) ?? withOtherFolder() }
      }
      const unmarked = await refusalOf(() => writeXattr(folder, 'user.minilab', Buffer.from('?')))
      if (!unmarked) return ok(`works on ${mountOf(folder)?.type}`)
      const found = `works, but ${dataFolder} keeps no user.* attributes, which mark a directory as opaque`
      return { ok: 'limited', found, fix: withOtherFolder() }
    },
  },

  {
    id: 'hardening',
    title: 'seccomp, capabilities',
    after: ['namespaces'],
    async look(machine) {
      const refusal = await attempt(machine, {
        parts: [hardening],
        change: ({ spec }) => void (spec.linux.seccomp = defaultProfile([...defaultCapabilities])),
      })
      if (!refusal) return ok('can be filtered, and dropped')
      return { ok: 'blocked', found: reasonOf(refusal), fix: remedyOf(refusal) ?? OWN_MACHINE }
    },
  },
]

/** The setting that limits how many namespaces of a type a user may have. It names two types as /proc/<pid>/ns does, not as OCI. */
function limitOn(kind: NamespaceType): string {
  const names: Partial<Record<NamespaceType, string>> = { mount: 'mnt', network: 'net' }
  return `max_${names[kind] ?? kind}_namespaces`
}
