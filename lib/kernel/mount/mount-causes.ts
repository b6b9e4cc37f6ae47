import { existsSync } from 'node:fs'
import { MS_BIND, MS_REMOUNT } from '../syscalls/constants.ts'
import { did, flag, lacksSysAdmin, NEEDS_ROOT, type Rule, say, when } from '../syscalls/rule.ts'
import { mountinfo, mountOf } from './mountinfo.ts'

const missing = (path: unknown) => typeof path === 'string' && !existsSync(path)

/** The directories that an overlay mount names: Documentation/filesystems/overlayfs.rst. */
const overlayFolders = (data: unknown) =>
  [...String(data).matchAll(/(?:lower|upper|work)dir=([^,]*)/g)].flatMap(([, paths = '']) => paths.split(':'))

/** Why the kernel refuses a mount, or an operation on mounts: the ERRORS of section 2, fs/namespace.c. */
export const mountCauses: Record<string, Rule[]> = {
  'mount EPERM': [
    when(
      ([, , type]) =>
        type === 'proc' &&
        mountinfo().some(
          m => m.target.startsWith('/proc/') && m.type !== 'binfmt_misc' && m.type !== 'autofs',
        ),
      'parts of /proc are covered by other mounts here (we seem to be inside a container), so a user namespace may not mount an uncovered one',
      'run outside the container, or start it with an unmasked /proc (docker: --security-opt systempaths=unconfined)',
    ),
    when(
      ([, , type]) => type === 'sysfs' && !mountinfo().some(m => m.type === 'sysfs' && m.target === '/sys'),
      '/sys is not mounted here, and a user namespace may mount sysfs only if it is already mounted',
      'sudo mount -t sysfs sysfs /sys',
    ),
    when(
      ([, , type]) => type === 'sysfs',
      'sysfs belongs to a network namespace, and this user namespace does not own the one we are in',
      "ask for a network namespace too (CLONE_NEWNET), or bind-mount the host's /sys read-only",
    ),
    when(
      (args, earlier) => flag(args, MS_REMOUNT, 3) && !did('mount', earlier, a => a[1] === args[1]),
      'a remount may not drop flags (nosuid, nodev, noexec …) that came from a more privileged mount namespace',
      'keep the flags that /proc/self/mountinfo shows for this mount',
    ),
    when(
      lacksSysAdmin,
      'mounting needs CAP_SYS_ADMIN in the user namespace that owns the mount namespace',
      NEEDS_ROOT,
    ),
    say(
      "the mount namespace belongs to a different user namespace from the caller's",
      'ask for both at once: CLONE_NEWUSER and CLONE_NEWNS',
    ),
  ],
  'mount ENOENT': [
    ([source, target, type, , data], earlier) => {
      if (did('pivot_root', earlier) || did('chroot', earlier)) return undefined // the child's paths are not ours
      if (missing(target))
        return { cause: `there is no ${String(target)} to mount on`, remedy: `mkdir -p ${String(target)}` }
      if (typeof source === 'string' && source.startsWith('/') && missing(source))
        return { cause: `there is no ${source}`, remedy: `mkdir -p ${source}, or correct the source` }
      const folder = type === 'overlay' && overlayFolders(data).find(missing)
      if (!folder) return undefined
      return {
        cause: `there is no ${folder}, one of overlay's directories`,
        remedy: `mkdir -p ${folder}, or correct lowerdir, upperdir and workdir`,
      }
    },
  ],
  'mount EINVAL': [
    when(
      args => args[2] === 'overlay',
      'overlay refused its options: lowerdir and upperdir must exist and upperdir may not itself lie on overlay; workdir must be empty and on the file system of upperdir',
      'read the reason in dmesg | tail',
    ),
    when(
      args => flag(args, MS_BIND, 3) && flag(args, MS_REMOUNT, 3),
      'only a mount point can be remounted',
      'bind-mount it on itself first',
    ),
  ],
  'mount EBUSY': [
    when(
      ([, , type]) => type === 'proc' || type === 'sysfs' || type === 'cgroup2',
      'the same file system is already mounted there',
      'leave this mount out',
    ),
  ],
  'pivot_root EINVAL': [
    (args, earlier) => {
      const root = args[0]
      if (typeof root !== 'string') return undefined
      const bound = did('mount', earlier, a => a[1] === root || (root === '.' && flag(a, MS_BIND, 3)))
      if (!bound && (root === '.' || mountOf(root)?.target !== root))
        return {
          cause: 'the new root is not a mount point',
          remedy: 'bind-mount it on itself first: mount(root, root, NULL, MS_BIND|MS_REC, NULL)',
        }
      if (root === '.' && !did('chdir', earlier, () => true) && !did('fchdir', earlier, () => true))
        return {
          cause: 'the working directory is not the new root, so “.” is another directory',
          remedy: 'chdir to the new root before pivot_root(".", ".")',
        }
      if (!did('mount', earlier, a => flag(a, (1 << 18) | (1 << 19), 3)))
        return {
          cause: 'the root mount propagates to others (shared), which pivot_root refuses',
          remedy: 'make it private first: mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL)',
        }
      return {
        cause: 'put_old must lie at or under new_root, and the current root must not be the initial ramfs',
        remedy: 'call pivot_root(".", ".") from inside the new root; on an initramfs use switch_root',
      }
    },
  ],
  'pivot_root EBUSY': [
    say('the new root or put_old is on the current root mount', 'bind-mount it on itself first'),
  ],
  'pivot_root EPERM': [
    when(lacksSysAdmin, 'pivot_root needs CAP_SYS_ADMIN over the mount namespace', NEEDS_ROOT),
  ],
  'chroot EPERM': [say('chroot needs CAP_SYS_CHROOT in this user namespace', NEEDS_ROOT)],
  'umount2 EINVAL': [
    say(
      'the target is not a mount point, or its mount is locked: it came from a more privileged mount namespace',
      'unmount the whole tree it came with (MNT_DETACH on its top) instead',
    ),
  ],
  'umount2 EBUSY': [
    say(
      'something still uses the mount: an open file, a working directory',
      'unmount it lazily: umount2(target, MNT_DETACH)',
    ),
  ],
}
