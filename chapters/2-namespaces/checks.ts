import { readFileSync } from 'node:fs'
import { finding, notHere, seen } from '../../lib/guide/evidence.ts'
import type { Check, Scene } from '../../lib/guide/step.ts'
import { mountinfo } from '../../lib/kernel/mountinfo.ts'
import { type Namespace, namespaceInode, NAMESPACES, nsPids, status } from '../../lib/kernel/procfs.ts'
import type { Made } from './step.ts'

/** What each kind of window shows, and the likeliest reason why it is still the host's. */
const KINDS: Record<Namespace, { claim: string; flag: string; hint: string }> = {
  user: { claim: 'users and capabilities', flag: 'CLONE_NEWUSER', hint: '' },
  pid: {
    claim: 'process ids',
    flag: 'CLONE_NEWPID',
    hint: ', or unshare() was called and nothing forked after it',
  },
  mnt: { claim: 'mounts', flag: 'CLONE_NEWNS', hint: '' },
  uts: { claim: 'the host name', flag: 'CLONE_NEWUTS', hint: '' },
  ipc: { claim: 'System V queues and POSIX message queues', flag: 'CLONE_NEWIPC', hint: '' },
  net: { claim: 'network links, addresses and ports', flag: 'CLONE_NEWNET', hint: '' },
  cgroup: {
    claim: 'the root of its cgroups',
    flag: 'CLONE_NEWCGROUP',
    hint: ', or unshare(CLONE_NEWCGROUP) never ran',
  },
  time: { claim: 'the clocks that count from boot', flag: 'CLONE_NEWTIME', hint: '' },
}

function inode(kind: Namespace): Check<Made> {
  const { claim, flag, hint } = KINDS[kind]
  return {
    id: `own-${kind}`,
    claim: `${kind}: ${claim} of its own`,
    look({ pid }) {
      const host = namespaceInode('self', kind)
      const container = namespaceInode(pid, kind)
      if (host === null) return notHere(`this kernel has no ${kind} namespaces`)
      if (kind === 'time' && host === container && runtimeOf(pid) !== process.pid)
        return notHere('this version of the runtime makes no time namespaces')
      return finding(
        host !== container,
        seen(`/proc/${pid}/ns/${kind}`, host, container),
        `The child shares the host's ${kind} namespace. Likeliest: ${flag} is missing from the clone flags${hint}.`,
      )
    },
  }
}

/** Whose child a container's first process is: ours, or (after another runtime has left) that of an init. */
const runtimeOf = (pid: number) => Number(status(pid).PPid)

/** Every id mapped to itself: the map of the machine's own user namespace. */
const ALL_IDS = '0 0 4294967295'

const hostFile = (path: string) => readFileSync(path, 'utf8')
const inside = async ({ shell }: Scene, command: string) => (await shell.run(command)).output.trim()
const uptime = (text: string) => Number(text.split(' ')[0])

export const checks = {
  inodes: NAMESPACES.map(inode),

  pid: {
    id: 'pid-one',
    claim: 'it is process 1 inside, and has another number outside',
    async inside(scene: Scene & Made) {
      const pid = await inside(scene, 'echo $$')
      return pid === '1' || pid === '2' ? pid : 'the same number as outside'
    },
    async look(scene) {
      const numbers = nsPids(scene.pid)
      const own = await inside(scene, 'echo $$')
      return finding(
        numbers.length > 1 && numbers.at(-1) === 1 && own === '1' && scene.pid !== 1,
        [
          seen(`/proc/${scene.pid}/status (NSpid)`, numbers[0] ?? 'none', numbers.at(-1) ?? 'none'),
          seen('echo $$', null, own),
        ],
        'NSpid has no second column, or it is not 1. Likeliest: CLONE_NEWPID is missing, or the process was not the first in its namespace.',
      )
    },
  },

  uidMap: {
    id: 'uid-map',
    claim: 'its users are mapped to others than they seem',
    look({ pid }) {
      const fields = (path: string) => hostFile(path).trim().replace(/\s+/g, ' ')
      const map = fields(`/proc/${pid}/uid_map`)
      return finding(
        map !== '' && map !== ALL_IDS && namespaceInode(pid, 'user') !== namespaceInode('self', 'user'),
        seen(`/proc/${pid}/uid_map`, fields('/proc/self/uid_map'), map || '(empty)'),
        map
          ? 'The map is the same as ours. Likeliest: the child is in our user namespace, or every id was mapped to itself.'
          : 'The map is empty, so every id is the overflow id 65534. Likeliest: nobody wrote /proc/<pid>/uid_map before the gate was opened.',
      )
    },
  },

  rootInside: {
    id: 'root-inside',
    claim: 'it is root inside, and outside the user whom the map says',
    async look(scene) {
      const { pid } = scene
      const [first = '', outside = ''] = hostFile(`/proc/${pid}/uid_map`).trim().split(/\s+/)
      const uid = (status(pid).Uid ?? '').split('\t')[0] ?? ''
      const own = await inside(scene, 'id -u')
      return finding(
        own === '0' && first === '0' && uid === outside,
        [seen(`/proc/${pid}/status (Uid)`, uid, null), seen('id -u', null, own)],
        `Inside it is ${own}, outside ${uid}; the map sends 0 to ${outside || 'nothing'}. Likeliest: after the map was written the child never became uid 0 (setresuid).`,
      )
    },
  },

  hostname: {
    id: 'hostname',
    claim: 'renamed inside, the machine keeps its name',
    async look(scene) {
      const host = hostFile('/proc/sys/kernel/hostname').trim()
      const container = await inside(scene, 'uname -n')
      return finding(
        container === scene.hostname && host !== scene.hostname,
        seen('uname -n, /proc/sys/kernel/hostname', host, container),
        host === scene.hostname
          ? 'The host was renamed too. Likeliest: CLONE_NEWUTS is missing.'
          : 'The new name cannot be seen inside. Likeliest: it was set before the clone, or in another namespace.',
      )
    },
  },

  queue: {
    id: 'queue',
    claim: 'a System V queue made inside is not there outside',
    async look(scene) {
      const has = (table: string) =>
        table.split('\n').some(line => Number(line.trim().split(/\s+/)[0]) === scene.queueKey)
      const host = has(hostFile('/proc/sysvipc/msg'))
      const container = has(await inside(scene, 'cat /proc/sysvipc/msg'))
      const say = (there: boolean) => (there ? 'there' : 'absent')
      return finding(
        container && !host,
        seen(`/proc/sysvipc/msg (key ${scene.queueKey})`, say(host), say(container)),
        host
          ? 'Likeliest: CLONE_NEWIPC is missing.'
          : 'The queue is not in the container either: it was made in another ipc namespace.',
      )
    },
  },

  mount: {
    id: 'mount',
    claim: 'a mount made inside is not there outside',
    look({ pid, mountSource }) {
      const at = (who: number | 'self') =>
        mountinfo(who).find(m => m.source === mountSource)?.target ?? 'absent'
      return finding(
        at(pid) !== 'absent' && at('self') === 'absent',
        seen(`/proc/${pid}/mountinfo (${mountSource})`, at('self'), at(pid)),
        at('self') === 'absent'
          ? 'The mount is nowhere: it was made in another mount namespace.'
          : 'It came out to the host. Likeliest: CLONE_NEWNS is missing, or the new namespace still propagates: mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL) was forgotten.',
      )
    },
  },

  link: {
    id: 'link',
    claim: 'a network link made inside is not there outside',
    look({ pid, link }) {
      const has = (path: string) => (hostFile(path).includes(`${link}:`) ? 'there' : 'absent')
      return finding(
        has(`/proc/${pid}/net/dev`) === 'there' && has('/proc/self/net/dev') === 'absent',
        seen(`/proc/${pid}/net/dev (${link})`, has('/proc/self/net/dev'), has(`/proc/${pid}/net/dev`)),
        'Likeliest: CLONE_NEWNET is missing, so the link was made in the host’s network namespace.',
      )
    },
  },

  uptime: {
    id: 'uptime',
    claim: 'its boot clock runs a day ahead of ours',
    async inside(scene: Scene & Made) {
      const ahead = uptime(await inside(scene, 'cat /proc/uptime')) - uptime(hostFile('/proc/uptime'))
      return Math.abs(ahead) < 60 ? 'the same' : ahead > 0 ? 'a day longer' : 'near zero'
    },
    async look(scene) {
      const container = uptime(await inside(scene, 'cat /proc/uptime'))
      const host = uptime(hostFile('/proc/uptime'))
      if (namespaceInode(scene.pid, 'time') === null) return notHere('this kernel has no time namespaces')
      if (
        namespaceInode(scene.pid, 'time') === namespaceInode('self', 'time') &&
        runtimeOf(scene.pid) !== process.pid
      )
        return notHere('this version of the runtime makes no time namespaces')
      return finding(
        Math.abs(container - host - scene.uptimeAhead) < 60,
        seen('/proc/uptime', `${host} s`, `${container} s`),
        'Likeliest: the offsets were written after the first process had entered, or CLONE_NEWTIME is missing.',
      )
    },
  },
} satisfies Record<string, (Check<Made> & { inside?(scene: Scene & Made): Promise<string> }) | Check<Made>[]>
