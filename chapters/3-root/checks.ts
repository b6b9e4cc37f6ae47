import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check, Scene } from '../../lib/guide/step.ts'
import { mountinfo } from '../../lib/kernel/mountinfo.ts'
import { pids } from '../../lib/kernel/procfs.ts'
import type { Roots } from './step.ts'

/** What each device must be: major:minor, from the kernel's Documentation/admin-guide/devices.txt. */
const DEVICES = { null: '1:3', zero: '1:5', full: '1:7', random: '1:8', urandom: '1:9', tty: '5:0' }

const LINKS = {
  fd: '/proc/self/fd',
  stdin: '/proc/self/fd/0',
  stdout: '/proc/self/fd/1',
  stderr: '/proc/self/fd/2',
}

/** Files of the host's /proc that have something to tell, and must be empty in the container. */
const MASKED = ['/proc/interrupts', '/proc/timer_list', '/proc/keys', '/proc/acpi', '/sys/firmware']

/** Where a path of the container is, seen from the host. Only for paths without absolute links. */
const inside = (pid: number, path: string) => `/proc/${pid}/root${path}`

const rootOf = (path: string) => {
  const { dev, ino } = statSync(path, { bigint: true })
  return `${dev}:${ino}`
}

export const checks = {
  jail: {
    id: 'chroot-jail',
    claim: 'in the chroot, `/` is another directory than the host’s',
    look({ host, inJail }) {
      return finding(
        inJail !== host && inJail !== '',
        seen('newfstatat("/") as device:inode', host, inJail),
        'The root did not change. Likeliest: chroot was refused, or never called.',
      )
    },
  },

  escape: {
    id: 'chroot-escape',
    claim: 'mkdir, chroot and chdir lead out of it again: `/` is the host’s',
    where: ({ host, inJail, afterBreakOut }: Roots) =>
      afterBreakOut === host ? 'the host’s root' : afterBreakOut === inJail ? 'the jail' : 'the second jail',
    look({ host, afterBreakOut }) {
      return finding(
        afterBreakOut === host,
        seen('newfstatat("/") as device:inode', host, afterBreakOut),
        'The break-out ended elsewhere. Likeliest: the working directory was changed into the second jail, so it was inside again.',
      )
    },
  },

  ownRoot: {
    id: 'own-root',
    claim: 'its root is a mount of its own',
    look({ pid, host }) {
      const top = mountinfo(pid).find(m => m.target === '/')
      const container = rootOf(`/proc/${pid}/root/.`)
      return finding(
        container !== host && top !== undefined,
        [
          seen(`/proc/${pid}/root (device:inode)`, host, container),
          seen(
            `/proc/${pid}/mountinfo (/)`,
            describe(mountinfo().find(m => m.target === '/')),
            describe(top),
          ),
        ],
        top
          ? 'It still stands on the host’s root. Likeliest: pivot_root was left out.'
          : 'No mount is at its root: its “/” is a directory somewhere below. Likeliest: chroot was used in place of pivot_root.',
      )
    },
  },

  oldRootGone: {
    id: 'old-root-gone',
    claim: 'the host’s root is in none of its mounts',
    look({ pid }) {
      const hosts = mountinfo().find(m => m.target === '/')
      const mounts = mountinfo(pid)
      const still = mounts.filter(m => m.device === hosts?.device && m.root === '/')
      return finding(
        still.length === 0,
        seen(
          `/proc/${pid}/mountinfo`,
          `${mountinfo().length} mounts`,
          `${mounts.length} mounts, the host’s root: ${still[0]?.target ?? 'not there'}`,
        ),
        `It is still mounted at ${still.map(m => m.target).join(', ')}. Likeliest: umount2(put_old, MNT_DETACH) was forgotten after pivot_root, or chroot was used instead.`,
      )
    },
  },

  propagation: {
    id: 'private-mounts',
    claim: 'no mount that it makes travels to the host',
    look({ pid }) {
      const count = (who: number | 'self') => {
        const shared = mountinfo(who).filter(m => m.propagation.some(p => p.startsWith('shared:')))
        return `${shared.length} shared`
      }
      return finding(
        count(pid) === '0 shared',
        seen(`/proc/${pid}/mountinfo (propagation)`, count('self'), count(pid)),
        'Likeliest: mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL) was forgotten, so what it mounts appears on the host as well.',
      )
    },
  },

  held: {
    id: 'pivot-holds',
    claim: 'the same calls end at the container’s own root',
    where: ({ host, afterSecondBreakOut }: Roots) =>
      afterSecondBreakOut === host ? 'the host’s root' : 'the container’s root',
    look({ pid, host, afterSecondBreakOut }) {
      const own = rootOf(`/proc/${pid}/root/.`)
      return finding(
        afterSecondBreakOut === own && own !== host,
        seen('newfstatat("/") after the break-out', host, afterSecondBreakOut),
        afterSecondBreakOut === host
          ? 'It reached the host. Likeliest: chroot in place of pivot_root, or the old root was never unmounted.'
          : 'It ended neither here nor there. Likeliest: the visitor did not start from the container’s root.',
      )
    },
  },

  proc: {
    id: 'own-proc',
    claim: '/proc shows its processes and no others',
    async look(scene) {
      const listed = (await scene.shell.run('echo /proc/[0-9]*')).output.split(' ')
      const mount = mountinfo(scene.pid).find(m => m.target === '/proc')
      return finding(
        mount?.type === 'proc' &&
          listed.includes('/proc/1') &&
          listed.length < 10 &&
          listed.length < pids().length,
        seen('echo /proc/[0-9]*', `${pids().length} processes`, listed.join(' ').slice(0, 60)),
        mount
          ? 'It shows the host’s processes. Likeliest: /proc was bound from the host, or mounted before the pid namespace was there.'
          : 'There is no /proc. Likeliest: the mount was left out, or refused because the old root was gone already.',
      )
    },
  },

  devices: {
    id: 'devices',
    claim: '/dev has null, zero, full, random, urandom and tty, and no disk',
    look({ pid }) {
      const found = Object.keys(DEVICES).map(name => [name, device(inside(pid, `/dev/${name}`))] as const)
      const right = found.every(([name, numbers]) => numbers === DEVICES[name as keyof typeof DEVICES])
      const names = readdirSync(inside(pid, '/dev'))
      const blocks = names.filter(name => lstatSync(inside(pid, `/dev/${name}`)).isBlockDevice())
      return finding(
        right && blocks.length === 0,
        seen(
          `/proc/${pid}/root/dev`,
          `${readdirSync('/dev').length} entries`,
          found.map(([n, d]) => `${n} ${d}`).join(', '),
        ),
        blocks.length
          ? `It has the host’s block devices: ${blocks.join(' ')}. Likeliest: the host’s /dev was bound whole.`
          : 'Likeliest: mknod was refused (in a user namespace the host’s nodes must be bound instead), or plain files were left in their place.',
      )
    },
  },

  terminals: {
    id: 'own-terminals',
    claim: 'its pseudo-terminals are its own: `/dev/pts` is a new instance',
    look({ pid }) {
      const at = (who: number | 'self') =>
        mountinfo(who).findLast(m => m.target === '/dev/pts')?.device ?? 'none'
      const ptmx = readlinkIf(inside(pid, '/dev/ptmx'))
      return finding(
        at(pid) !== 'none' && at(pid) !== at('self') && ptmx === 'pts/ptmx',
        seen('mountinfo (/dev/pts), /dev/ptmx', at('self'), `${at(pid)}, ptmx → ${ptmx}`),
        'Likeliest: devpts was mounted without newinstance on an old kernel, bound from the host, or /dev/ptmx does not lead to pts/ptmx.',
      )
    },
  },

  links: {
    id: 'fd-links',
    claim: '/dev/fd, stdin, stdout and stderr lead to the process’s own descriptors',
    look({ pid }) {
      const found = Object.keys(LINKS).map(name => [name, readlinkIf(inside(pid, `/dev/${name}`))] as const)
      return finding(
        found.every(([name, target]) => target === LINKS[name as keyof typeof LINKS]),
        seen(`/proc/${pid}/root/dev`, null, found.map(([n, t]) => `${n} → ${t}`).join(', ')),
        'Likeliest: the symbolic links were left out; then `echo x > /dev/stderr` and bash’s <(…) fail.',
      )
    },
  },

  masked: {
    id: 'masked',
    claim: 'what speaks of the machine is covered',
    async look(scene) {
      const there = MASKED.filter(path => existsSync(path))
      const sizes = await Promise.all(there.map(async path => [path, await size(scene, path)] as const))
      const open = sizes.filter(([, bytes]) => bytes > 0)
      return finding(
        there.length > 0 && open.length === 0,
        sizes.map(([path, bytes]) =>
          seen(path, contents(path), bytes === 0 ? 'empty' : `${bytes} bytes or entries`),
        ),
        `Readable: ${open.map(([path]) => path).join(', ')}. Likeliest: maskedPaths were covered before the new /proc was mounted over them, or not at all.`,
      )
    },
  },

  readonly: {
    id: 'readonly-paths',
    claim: 'kernel settings can be read, not written',
    async look(scene) {
      const path = '/proc/sys/kernel/domainname'
      const read = await scene.shell.run(`cat ${path}`)
      const write = await scene.shell.run(`(echo minilab > ${path})`)
      return finding(
        read.status === 0 && /read-only file system/i.test(write.output),
        seen(`echo … > ${path}`, null, write.output.split(': ').at(-1) || 'written'),
        'Likeliest: the bind mount was made with MS_RDONLY in one call, which mount(2) ignores: it takes a second call with MS_REMOUNT.',
      )
    },
  },

  readonlyRoot: {
    id: 'readonly-root',
    claim: 'the shared image cannot be written to',
    async look(scene) {
      const write = await scene.shell.run('(: > /not-here)')
      const options = mountinfo(scene.pid).find(m => m.target === '/')?.options ?? []
      return finding(
        options.includes('ro') && /read-only file system/i.test(write.output),
        seen(': > /not-here', null, write.output.split(': ').at(-1) || 'written'),
        'Likeliest: the root was never remounted with MS_BIND|MS_REMOUNT|MS_RDONLY.',
      )
    },
  },
} satisfies Record<string, Check<Roots> & { where?(scene: Roots): string }>

function describe(mount?: { type: string; root: string }): string {
  return mount ? `${mount.type} ${mount.root.length > 34 ? '…' + mount.root.slice(-33) : mount.root}` : 'none'
}

function device(path: string): string {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (!stat) return 'missing'
  if (!stat.isCharacterDevice()) return 'no device'
  return `${stat.rdev >> 8}:${stat.rdev & 255}`
}

function readlinkIf(path: string): string {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  return stat?.isSymbolicLink() ? readlinkSync(path) : stat ? 'no link' : 'missing'
}

/** How much a path of the container tells: bytes of a file, entries of a directory. */
async function size({ shell }: Scene, path: string): Promise<number> {
  const command = statSync(path).isDirectory() ? `ls ${path}` : `cat ${path}`
  return Number((await shell.run(`${command} 2>/dev/null | wc -c`)).output)
}

function contents(path: string): string {
  if (statSync(path).isDirectory()) return `${readdirSync(path).length} entries`
  try {
    return `${readFileSync(path).length} bytes`
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return 'for root only'
    throw error
  }
}
