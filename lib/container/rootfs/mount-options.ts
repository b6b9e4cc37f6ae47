import {
  AT_RECURSIVE,
  MS_BIND,
  MS_NOATIME,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_RELATIME,
  MS_SHARED,
  MS_SLAVE,
  MS_STRICTATIME,
  MS_UNBINDABLE,
} from '../../kernel/syscalls/constants.ts'

/** mount(8) options that are flags of mount(2): [to set, to clear]. Any other option goes to the file system as data. */
const FLAGS: Record<string, [set: number, clear: number]> = {
  ro: [MS_RDONLY, 0],
  rw: [0, MS_RDONLY],
  nosuid: [MS_NOSUID, 0],
  suid: [0, MS_NOSUID],
  nodev: [MS_NODEV, 0],
  dev: [0, MS_NODEV],
  noexec: [MS_NOEXEC, 0],
  exec: [0, MS_NOEXEC],
  noatime: [MS_NOATIME, 0],
  relatime: [MS_RELATIME, 0],
  strictatime: [MS_STRICTATIME, 0],
  bind: [MS_BIND, 0],
  rbind: [MS_BIND | MS_REC, 0],
}

const PROPAGATION: Record<string, number> = {
  private: MS_PRIVATE,
  rprivate: MS_PRIVATE | MS_REC,
  slave: MS_SLAVE,
  rslave: MS_SLAVE | MS_REC,
  shared: MS_SHARED,
  rshared: MS_SHARED | MS_REC,
  unbindable: MS_UNBINDABLE,
  runbindable: MS_UNBINDABLE | MS_REC,
}

/** Options of an OCI mount that also apply to all mounts below it: mount_setattr(2) with AT_RECURSIVE. */
const RECURSIVE: Record<string, number> = {
  rro: MS_RDONLY,
  rnosuid: MS_NOSUID,
  rnodev: MS_NODEV,
  rnoexec: MS_NOEXEC,
}

/** Options for mapped ids: the flag of mount_setattr(2) with which they are set. */
const ID_MAP: Record<string, number> = { idmap: 0, ridmap: AT_RECURSIVE }

const COPY_UP = 'tmpcopyup'

/** The options with a meaning of their own. */
export const OPTION_NAMES = [FLAGS, PROPAGATION, RECURSIVE, ID_MAP].flatMap(table => Object.keys(table))

/**
 * Splits the options of an OCI mount into what mount(2) takes: flags, data, a propagation type (which needs a separate call), and the
 * flags that also apply to the mounts below it (the same bits as MOUNT_ATTR_*: linux/mount.h).
 */
export function mountOptions(options: readonly string[] = []): {
  flags: number
  recursive: number
  data: string | null
  propagation: number
  /** a new tmpfs gets what the image has at its place: an option of runc's own */
  copyUp: boolean
  /** ids are mapped; AT_RECURSIVE: those of the mounts below it, too */
  idMap: number | undefined
} {
  let flags = 0
  let recursive = 0
  let propagation = 0
  let idMap: number | undefined
  const data: string[] = []
  for (const option of options) {
    const flag = FLAGS[option]
    if (flag) flags = (flags | flag[0]) & ~flag[1]
    else if (option in RECURSIVE) recursive |= RECURSIVE[option] ?? 0
    else if (option in PROPAGATION) propagation = PROPAGATION[option] ?? 0
    else if (option in ID_MAP) idMap = ID_MAP[option]
    else if (option !== COPY_UP) data.push(option)
  }
  return {
    flags,
    recursive,
    data: data.join(',') || null,
    propagation,
    copyUp: options.includes(COPY_UP),
    idMap,
  }
}

/** The flags of a mount that a less privileged mount namespace may not drop: mount_namespaces(7), "locked". */
export function lockedFlags(options: readonly string[]): number {
  return mountOptions(options.filter(o => ['ro', 'nosuid', 'nodev', 'noexec', 'noatime'].includes(o))).flags
}
