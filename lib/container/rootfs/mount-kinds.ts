import { statSync } from 'node:fs'
import { posix } from 'node:path'
import { MS_BIND } from '../../kernel/syscalls/constants.ts'
import { inFirstUserNamespace } from '../../kernel/process/procfs.ts'
import { mountOptions } from './mount-options.ts'
import { has, type MountSpec, type Spec } from '../spec.ts'

export const isBind = ({ options }: MountSpec) => (mountOptions(options).flags & MS_BIND) !== 0

/** A volume: lent by the user, with any content. The host's /sys (`--network host`) is not one. */
export const isVolume = (mount: MountSpec) => isBind(mount) && mount.destination !== '/sys'

/** Whether /dev is a new file system that holds only what we make. A spec may omit it, or bind an existing one. */
export const hasOwnDev = ({ mounts }: Spec) =>
  mounts.some(mount => mount.destination === '/dev' && !isBind(mount))

/** Its own user namespace, or one that we are already in. */
export const inUserNamespace = (spec: Spec) => has(spec, 'user') || !inFirstUserNamespace()

/** The kernel's trees that have their own place in the root: usually /proc, /sys and /dev. */
export const kernelTrees = ({ mounts }: Spec) =>
  mounts.filter(
    mount =>
      posix.dirname(mount.destination) === '/' &&
      !isVolume(mount) &&
      (['proc', 'sysfs'].includes(mount.type ?? '') || ['/dev', '/sys'].includes(mount.destination)),
  )

/** Whether a path is one of these trees, or lies in one. */
export const inKernelTree = (spec: Spec, path: string) =>
  kernelTrees(spec).some(({ destination }) => `${path}/`.startsWith(`${destination}/`))

/** Whether a path on the host is a directory at this moment. */
export const isDirectory = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
