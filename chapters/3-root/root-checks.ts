import { statSync } from 'node:fs'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check } from '../../lib/guide/step.ts'
import { type Mount, mountinfo } from '../../lib/kernel/mount/mountinfo.ts'
import { namespaceMounts, rootMount } from '../../lib/kernel/mount/namespace-mounts.ts'
import type { Roots } from './step.ts'
import { counted } from '../../lib/guide/text.ts'

/** The directory that a path leads to, as device and inode. */
export const rootOf = (path: string) => {
  const { dev, ino } = statSync(path, { bigint: true })
  return `${dev}:${ino}`
}

/** The file system of the host's "/", where it is mounted whole. */
function hostRootsIn(mounts: Mount[]): Mount[] {
  const host = mountinfo().find(m => m.target === '/')
  return mounts.filter(m => m.device === host?.device && m.root === '/')
}

/** Which “/” a process has, and what else it can reach. */
export const rootChecks = {
  jail: {
    id: 'chroot-jail',
    claim: "in the chroot, `/` is not the host's root",
    look({ host, inJail }) {
      return finding(
        inJail !== host && inJail !== '',
        seen('newfstatat("/") as device:inode', host, inJail),
        "Its “/” is the host's: chdir moves only the working directory, and chroot was never called.",
      )
    },
  },

  escape: {
    id: 'chroot-escape',
    claim: "mkdir, chroot and chdir lead out of it again: `/` is the host's",
    where: ({ host, inJail, afterBreakOut }: Roots) =>
      afterBreakOut === host ? "the host's root" : afterBreakOut === inJail ? 'the jail' : 'the second jail',
    look({ host, afterBreakOut }) {
      return finding(
        afterBreakOut === host,
        seen('newfstatat("/") as device:inode', host, afterBreakOut),
        'It ended in a jail: the working directory was moved into the second jail, so “..” stopped there.',
      )
    },
  },

  ownRoot: {
    id: 'own-root',
    claim: 'its root is the root of its mount namespace, and not one of our directories',
    async look({ pid, host }) {
      const container = rootOf(`/proc/${pid}/root/.`)
      const top = rootMount(pid)
      // a process that joins the namespace sees what the root is mounted on: nothing, if it is the namespace's root
      const below = (await namespaceMounts(pid)).find(({ id }) => id === top?.parent && id !== top.id)
      return finding(
        container !== host && top !== undefined && below === undefined,
        [
          seen(`/proc/${pid}/root (device:inode)`, host, container),
          seen(
            `/proc/${pid}/mountinfo (/)`,
            describe(mountinfo().find(m => m.target === '/')),
            describe(top),
          ),
          seen('mountinfo, by setns: it is mounted on', null, describe(below)),
        ],
        container === host
          ? "Its root is still the host's: pivot_root was left out."
          : "Its “/” is a directory in the host's tree, which is still there: chroot was used in place of pivot_root.",
      )
    },
  },

  oldRootGone: {
    id: 'old-root-gone',
    claim: "none of its mounts is the host's root",
    async look({ pid, host }) {
      const [visible, all] = [mountinfo(pid), await namespaceMounts(pid)]
      const [still] = [...hostRootsIn(visible), ...hostRootsIn(all)]
      return finding(
        still === undefined,
        seen(
          `/proc/${pid}/mountinfo, and by setns`,
          counted(mountinfo().length, 'mount'),
          `${counted(visible.length, 'mount')}, the host's root: ${still?.target ?? 'not there'}`,
        ),
        rootOf(`/proc/${pid}/root/.`) === host
          ? "The host's root is its own root as well: pivot_root was left out."
          : hostRootsIn(visible).length > 0
            ? whereLeft(still?.target ?? '/')
            : 'It cannot be seen from inside, but is still there: chroot was used, which leaves all mounts as they are.',
      )
    },
  },

  propagation: {
    id: 'private-mounts',
    claim: 'no mount propagates from it to the host, or from the host to it',
    look({ pid }) {
      const tied = (who: number | 'self', how: string) =>
        mountinfo(who).filter(m => m.propagation.some(p => p.startsWith(how))).length
      const count = (who: number | 'self') => `${tied(who, 'shared:')} shared, ${tied(who, 'master:')} slaves`
      return finding(
        tied(pid, 'shared:') + tied(pid, 'master:') === 0,
        seen(`/proc/${pid}/mountinfo (propagation)`, count('self'), count(pid)),
        tied(pid, 'shared:')
          ? 'Its mounts were made shared (MS_SHARED): new mounts propagate to every copy of its namespace.'
          : 'Its mounts are slaves of ours, so what is mounted on the host appears in the container: mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL) was forgotten.',
      )
    },
  },

  held: {
    id: 'pivot-holds',
    claim: "the same calls end at the container's own root",
    look({ pid, host, afterSecondBreakOut }) {
      const own = rootOf(`/proc/${pid}/root/.`)
      return finding(
        afterSecondBreakOut === own && own !== host,
        seen('newfstatat("/") after the break-out', host, afterSecondBreakOut),
        own === host
          ? "Its root was the host's all the time: pivot_root was left out."
          : afterSecondBreakOut !== host
            ? "It ended at neither root: the kernel refused one of the visitor's calls."
            : hostRootsIn(mountinfo(pid)).length > 0
              ? 'It reached the host: the old root was never unmounted, and “..” led up into it.'
              : 'It reached the host: chroot in place of pivot_root left a tree above, and “..” led up into it.',
      )
    },
  },

  underneath: {
    id: 'nothing-underneath',
    claim: "no other root lies under its own: unmounting it does not uncover the host's",
    async look({ pid, host, underneath }) {
      const isCovered = hostRootsIn(await namespaceMounts(pid)).length === 0
      return finding(
        underneath !== host,
        seen('newfstatat("/") after umount2("/")', host, underneath),
        rootOf(`/proc/${pid}/root/.`) === host
          ? "Its root was the host's all the time: pivot_root was left out."
          : !isCovered
            ? "Nothing had to be unmounted: chroot in place of pivot_root leaves the host's root where it is."
            : "The host's tree lies under its root: a mount on “/” (MS_MOVE) only covers it. pivot_root swaps the root mount, and umount2 removes the old one.",
      )
    },
  },

  readonlyRoot: {
    id: 'readonly-root',
    claim: 'the shared image cannot be written to',
    async look({ pid, shell }) {
      const name = `/not-here-${pid}` // if mkdir works, rmdir undoes it
      const write = await shell.run(`mkdir ${name} && rmdir ${name}`)
      const { options = [] } = rootMount(pid) ?? {}
      return finding(
        options.includes('ro') && /read-only file system/i.test(write.output),
        [
          seen(`mkdir ${name}`, null, write.output.split(': ').at(-1) || 'made'),
          seen(`/proc/${pid}/mountinfo (/)`, null, options.join(',')),
        ],
        'The root was never remounted with MS_BIND|MS_REMOUNT|MS_RDONLY: what one container writes, every container of this image sees.',
      )
    },
  },
} satisfies Record<string, Check<Roots> & { where?(scene: Roots): string }>

/** pivot_root(".", ".") leaves the old root on top of the new one, any other put_old in a directory. */
const whereLeft = (target: string) =>
  target === '/'
    ? 'It lies on top of the new root: umount2(".", MNT_DETACH) was forgotten after pivot_root.'
    : `It lies at ${target}: umount2("${target}", MNT_DETACH) was forgotten after pivot_root.`

function describe(mount?: { type: string; root: string }): string {
  return mount ? `${mount.type} ${mount.root.length > 34 ? '…' + mount.root.slice(-33) : mount.root}` : 'none'
}
