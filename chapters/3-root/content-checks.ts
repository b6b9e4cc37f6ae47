import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf } from '../../lib/common/error-code.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check, Scene } from '../../lib/guide/step.ts'
import { mountinfo } from '../../lib/kernel/mount/mountinfo.ts'
import { children, nsPids, pids } from '../../lib/kernel/process/procfs.ts'
import type { Roots } from './step.ts'
import { counted } from '../../lib/guide/text.ts'

/** The major:minor number that each device must have: Documentation/admin-guide/devices.txt in the kernel's sources. */
const DEVICES = { null: '1:3', zero: '1:5', full: '1:7', random: '1:8', urandom: '1:9', tty: '5:0' }

/** Where each link must lead, directly or through other links. */
const LINKS = {
  fd: '/proc/self/fd',
  stdin: '/proc/self/fd/0',
  stdout: '/proc/self/fd/1',
  stderr: '/proc/self/fd/2',
}

/** Files of the host's /proc that reveal something, and must be empty in the container. */
const MASKED = ['/proc/interrupts', '/proc/timer_list', '/proc/keys', '/proc/acpi', '/sys/firmware']

/** A path of the container as the host sees it. Only for paths without absolute links. */
const inside = (pid: number, path: string) => `/proc/${pid}/root${path}`

/** What /proc, /dev and /sys contain, and what they must not. */
export const contentChecks = {
  proc: {
    id: 'own-proc',
    claim: '/proc shows its processes and no others',
    async look({ pid, shell }) {
      const listed = [...(await shell.run('echo /proc/[0-9]*')).output.matchAll(/\d+(?= |$)/g)].map(Number)
      const own = [pid, ...children(pid)].map(each => nsPids(each).at(-1))
      const at = (who: number | 'self') => mountinfo(who).findLast(m => m.target === '/proc')
      const [host, container] = [at('self'), at(pid)]
      return finding(
        container?.type === 'proc' && listed.toSorted().join() === own.toSorted().join(),
        [
          seen(
            'echo /proc/[0-9]*',
            counted(pids().length, 'process'),
            listed.join(' ').slice(0, 60) || 'none',
          ),
          seen(`/proc/${pid}/mountinfo (/proc)`, host?.device ?? 'none', container?.device ?? 'none'),
        ],
        !container
          ? 'There is no /proc: the mount was left out.'
          : container.device === host?.device
            ? "It shows the host's processes, because it is the host's /proc, bind-mounted: a new one must be mounted inside."
            : 'It shows the processes of another pid namespace: that of the process that mounted it.',
      )
    },
  },

  devices: {
    id: 'devices',
    claim: '/dev has null, zero, full, random, urandom and tty, and no disk',
    look({ pid }) {
      const found = Object.keys(DEVICES).map(name => [name, device(inside(pid, `/dev/${name}`))] as const)
      const wrong = found.filter(([name, is]) => is !== DEVICES[name as keyof typeof DEVICES])
      const names = readdirSync(inside(pid, '/dev'))
      const blocks = names.filter(name => lstatSync(inside(pid, `/dev/${name}`)).isBlockDevice())
      const at = (who: number | 'self') => mountinfo(who).findLast(m => m.target === '/dev')?.device
      const bound = at(pid) !== undefined && at(pid) === at('self')
      return finding(
        wrong.length + blocks.length === 0 && !bound,
        seen(
          `/proc/${pid}/root/dev`,
          counted(readdirSync('/dev').length, 'entry'),
          found.map(([name, is]) => `${name} ${is}`).join(', '),
        ),
        bound || blocks.length
          ? `The host's whole /dev was bind-mounted, with all its devices: ${(blocks.length ? blocks : names).slice(0, 5).join(' ')} …`
          : wrong.every(([, is]) => is === 'no device')
            ? `Plain files were left in place of ${wrong.map(([name]) => name).join(' ')}: a user namespace cannot make devices, so bind-mount the host's over these files.`
            : `Missing, or the wrong device: ${wrong.map(([name, is]) => `${name} (${is})`).join(' ')}.`,
      )
    },
  },

  terminals: {
    id: 'own-terminals',
    claim: 'its pseudo-terminals are its own: `/dev/pts` is a new instance',
    async look({ pid, shell }) {
      const at = (who: number | 'self') =>
        mountinfo(who).findLast(m => m.target === '/dev/pts')?.device ?? 'none'
      const ptmx = readlinkIf(inside(pid, '/dev/ptmx'))
      const leads = leadsTo(pid, '/dev/ptmx') === '/dev/pts/ptmx'
      const mode = modeOf(inside(pid, '/dev/pts/ptmx'))
      // the file's mode stops every user but root; MS_NODEV stops root too
      const opened = await shell.run('(: <> /dev/ptmx)')
      return finding(
        at(pid) !== 'none' && at(pid) !== at('self') && leads && mode === '666' && opened.status === 0,
        seen('mountinfo (/dev/pts), /dev/ptmx', at('self'), `${at(pid)}, ptmx → ${ptmx}`),
        at(pid) === 'none'
          ? 'There is no /dev/pts: devpts was not mounted.'
          : at(pid) === at('self')
            ? "These are the host's terminals, bind-mounted: a process inside can open those of the host's users."
            : !leads
              ? `/dev/ptmx, which programs open to get a terminal, does not lead to pts/ptmx: ${ptmx}.`
              : mode !== '666'
                ? `/dev/pts/ptmx has mode ${mode}, so only root can get a terminal: mount devpts with the option ptmxmode=0666.`
                : `/dev/ptmx cannot be opened (${opened.output.split(': ').at(-1)}): a terminal is a device, so devpts must be mounted without MS_NODEV.`,
      )
    },
  },

  links: {
    id: 'fd-links',
    claim: "/dev/fd, stdin, stdout and stderr lead to the process's own descriptors",
    look({ pid }) {
      const found = Object.entries(LINKS).map(([name, wanted]) => {
        const [target, end] = [readlinkIf(inside(pid, `/dev/${name}`)), leadsTo(pid, `/dev/${name}`)]
        return { name, target, wanted, end }
      })
      const wrong = found.filter(({ end, wanted }) => end !== wanted)
      const isLeftOut = wrong.some(({ target }) => NO_LINK.includes(target))
      return finding(
        wrong.length === 0,
        seen(
          `/proc/${pid}/root/dev`,
          null,
          found.map(({ name, target }) => `${name} → ${target}`).join(', '),
        ),
        isLeftOut
          ? "The symbolic links were left out: `echo x > /dev/stderr` and bash's <(…) fail."
          : `${wrong.map(({ name, end, wanted }) => `${name} leads to ${end} instead of ${wanted}`).join(', ')}.`,
      )
    },
  },

  masked: {
    id: 'masked',
    claim: 'what reveals the machine is masked',
    async look(scene) {
      const there = MASKED.filter(path => existsSync(path))
      const sizes = await Promise.all(there.map(async path => [path, await size(scene, path)] as const))
      const open = sizes.filter(([, bytes]) => bytes !== 0)
      const writable = there.filter(path => isWritable(scene.pid, path))
      return finding(
        there.length > 0 && open.length + writable.length === 0,
        sizes.map(([path, bytes]) =>
          seen(
            path,
            contents(path),
            bytes === 0 ? 'empty' : counted(bytes, isFolder(path) ? 'entry' : 'byte'),
          ),
        ),
        open.length > 0
          ? `${open.map(([path]) => path).join(', ')} can be read: never masked, or masked before the new /proc was mounted over the masks.`
          : notReadOnly(writable),
      )
    },
  },

  readonly: {
    id: 'readonly-paths',
    claim: 'kernel settings can be read, not written',
    async look({ pid, shell }) {
      const path = '/proc/sys/kernel/domainname'
      const read = await shell.run(`cat ${path}`)
      const write = await shell.run(`(echo minilab > ${path})`)
      const mounts = mountinfo(pid)
      const mount = mounts.findLast(m => m.target === '/proc/sys')
      // a remount without MS_BIND changes the file system, and so every mount of it: mount(2)
      const isAllReadOnly = mounts.some(m => m.target === '/proc' && m.superOptions.includes('ro'))
      return finding(
        read.status === 0 && /read-only file system/i.test(write.output) && !isAllReadOnly,
        [
          seen(`echo … > ${path}`, null, write.output.split(': ').at(-1) || 'written'),
          seen(`/proc/${pid}/mountinfo (/proc/sys)`, null, mount?.options.join(',') ?? 'no mount'),
        ],
        isAllReadOnly
          ? 'All of /proc has become read-only, and a process cannot even change its own oom_score_adj: without MS_BIND, a remount changes the whole file system, not the one mount.'
          : read.status !== 0
            ? mount && mount.type !== 'proc'
              ? `They cannot even be read: a ${mount.type} was mounted over /proc/sys. Bind-mount /proc/sys on itself instead: that mount can be made read-only.`
              : 'They cannot even be read: there is no /proc.'
            : mount
              ? 'The bind mount is there, but not read-only: mount(2) ignores MS_RDONLY together with MS_BIND; it takes a second call with MS_REMOUNT.'
              : 'Nothing is mounted on /proc/sys: it was not bind-mounted on itself, or this was done before the new /proc was mounted over it.',
      )
    },
  },
} satisfies Record<string, Check<Roots>>

function device(path: string): string {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (!stat) return 'missing'
  if (!stat.isCharacterDevice()) return 'no device'
  return `${stat.rdev >> 8}:${stat.rdev & 255}`
}

const NO_LINK = ['no link', 'missing']

function readlinkIf(path: string): string {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  return stat?.isSymbolicLink() ? readlinkSync(path) : stat ? 'no link' : 'missing'
}

/** Where a path below /dev leads in the container, through the links in /dev. */
function leadsTo(pid: number, path: string): string {
  for (let links = 0; links < 8; links++) {
    const [, name, rest = ''] = /^\/dev\/([^/]+)(.*)$/.exec(path) ?? []
    const target = name === undefined ? 'missing' : readlinkIf(inside(pid, `/dev/${name}`))
    if (NO_LINK.includes(target)) return path
    path = join(target.startsWith('/') ? '/' : '/dev', target, rest)
  }
  return 'itself'
}

/** The permission bits of a file, in octal. */
function modeOf(path: string): string {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  return stat ? (stat.mode & 0o777).toString(8).padStart(3, '0') : 'missing'
}

/** How much a path of the container reveals, in bytes or entries: at most a page, as /dev/zero has no end. An absent path reveals nothing. */
export async function size({ shell }: Scene, path: string): Promise<number> {
  const { output } = await shell.run(isFolder(path) ? `ls ${path} | wc -w` : `head -c 4096 ${path} | wc -c`)
  return Number(output.trim().split('\n').at(-1)) // error messages come before it
}

/** Whether a directory is masked by a writable mount. */
export function isWritable(pid: number, path: string): boolean {
  const cover = isFolder(path) ? mountinfo(pid).findLast(m => m.target === path) : undefined
  return cover !== undefined && !cover.options.includes('ro')
}

export const notReadOnly = (paths: string[]) =>
  `${paths.join(', ')} can be written to: mount the tmpfs that masks a directory read-only, with MS_RDONLY.`

export const isFolder = (path: string) => statSync(path).isDirectory()

function contents(path: string): string {
  if (isFolder(path)) return counted(readdirSync(path).length, 'entry')
  try {
    return counted(readFileSync(path).length, 'byte')
  } catch (error) {
    if (codeOf(error) === 'EACCES') return 'for root only'
    throw error
  }
}
