import { readFileSync } from 'node:fs'
import { finding, notHere, seen } from '../../lib/guide/evidence.ts'
import type { Check, Scene } from '../../lib/guide/step.ts'
import { mountinfo } from '../../lib/kernel/mount/mountinfo.ts'
import {
  type Namespace,
  namespaceInode,
  NAMESPACES,
  nsPids,
  status,
} from '../../lib/kernel/process/procfs.ts'
import { isOurs, KINDS, whyNotInside, whyOurs } from './causes.ts'
import type { Made } from './step.ts'

function inode(kind: Namespace): Check<Made> {
  return {
    id: `own-${kind}`,
    claim: `${kind}: its own ${KINDS[kind].claim}`,
    look({ pid }) {
      const host = namespaceInode('self', kind)
      const container = namespaceInode(pid, kind)
      if (host === null) return notHere(`this kernel has no ${kind} namespaces`)
      if (kind === 'time' && host === container && runtimeOf(pid) !== process.pid)
        return notHere('this version of the runtime makes no time namespaces')
      return finding(
        host !== container,
        seen(`/proc/${pid}/ns/${kind}`, host, container),
        `It shares our ${kind} namespace. ${whyOurs(pid, kind)}`,
      )
    },
  }
}

/** The parent of a container's first process: us, or an init after another runtime has exited. */
const runtimeOf = (pid: number) => Number(status(pid).PPid)

/** Every id mapped to itself: the map of the machine's own user namespace. */
const ALL_IDS = '0 0 4294967295'

const hostFile = (path: string) => readFileSync(path, 'utf8')
/** A kernel file, read by the shell itself: a shell that cannot fork (see whyOurs) can still do that. */
const inside = async ({ shell }: Scene, path: string) =>
  (await shell.run(`while IFS= read -r line; do echo "$line"; done <${path}`)).output
const ownPid = async ({ shell }: Scene) => (await shell.run('echo $$')).output.trim()
const uptime = (text: string) => Number(text.split(' ')[0])

/** Whether something that was made inside exists, in a word. */
const say = (there: boolean) => (there ? 'there' : 'absent')

export const checks = {
  inodes: NAMESPACES.map(inode),

  pid: {
    id: 'pid-one',
    claim: 'it is process 1 inside, and has another number outside',
    async inside(scene: Scene & Made) {
      const pid = await ownPid(scene)
      return pid === '1' || pid === '2' ? pid : 'the same number as outside'
    },
    async look(scene) {
      const numbers = nsPids(scene.pid)
      const own = await ownPid(scene)
      return finding(
        numbers.length > 1 && numbers.at(-1) === 1 && own === '1',
        [
          seen(`/proc/${scene.pid}/status (NSpid)`, numbers[0] ?? 'none', numbers.at(-1) ?? 'none'),
          seen('echo $$', null, own),
        ],
        isOurs(scene.pid, 'pid')
          ? `NSpid has no second column. ${whyOurs(scene.pid, 'pid')}`
          : `The program is process ${own}; process 1 is a wrapper, which came first and started it.`,
      )
    },
  },

  uidMap: {
    id: 'uid-map',
    claim: 'its map translates user ids, rather than mapping every id to itself',
    look({ pid }) {
      const fields = (path: string) => hostFile(path).trim().replace(/\s+/g, ' ')
      const map = fields(`/proc/${pid}/uid_map`)
      return finding(
        map !== '' && map !== ALL_IDS && !isOurs(pid, 'user'),
        seen(`/proc/${pid}/uid_map`, fields('/proc/self/uid_map'), map || '(empty)'),
        isOurs(pid, 'user')
          ? `The map is ours: it is in our own user namespace. ${whyOurs(pid, 'user')}`
          : map
            ? 'Every id is mapped to itself: a process that escapes as root is root outside.'
            : 'The map is empty, so every id is the overflow id 65534: /proc/<pid>/uid_map was not written before the gate was opened.',
      )
    },
  },

  rootInside: {
    id: 'root-inside',
    claim: 'it is root inside, and outside the user that the map names',
    async look(scene) {
      const { pid } = scene
      const [first = '', outside = ''] = hostFile(`/proc/${pid}/uid_map`).trim().split(/\s+/)
      const uid = (status(pid).Uid ?? '').split('\t')[0] ?? ''
      const own = /^Uid:\s+(\d+)/m.exec(await inside(scene, '/proc/self/status'))?.[1] ?? ''
      return finding(
        !isOurs(pid, 'user') && own === '0' && first === '0' && uid === outside,
        [
          seen(`/proc/${pid}/status (Uid)`, uid, null),
          seen('/proc/self/status (Uid), read inside', null, own),
        ],
        isOurs(pid, 'user')
          ? `There is no inside: it is in our own user namespace. ${whyOurs(pid, 'user')}`
          : outside === ''
            ? `Inside it is ${own}, the id of users that are not in the map, and the map is empty: it was never written.`
            : `Inside it is ${own}, outside ${uid}, but the map translates 0 to ${outside}: after the map was written, the process never became uid 0 (setresuid).`,
      )
    },
  },

  hostname: {
    id: 'hostname',
    claim: 'the container was renamed; the machine keeps its name',
    async look(scene) {
      const path = '/proc/sys/kernel/hostname'
      const [host, container] = [hostFile(path).trim(), (await inside(scene, path)).trim()]
      const [outside, within] = [host === scene.hostname, container === scene.hostname]
      return finding(
        within && !outside,
        seen(path, host, container),
        within && outside && !isOurs(scene.pid, 'uts')
          ? 'The machine has that name, too: it was set before the clone, and a new uts namespace begins as a copy of the old one.'
          : whyNotInside(scene.pid, 'uts', outside, within),
      )
    },
  },

  queue: {
    id: 'queue',
    claim: 'a System V queue made inside does not exist outside',
    async look(scene) {
      const has = (table: string) =>
        table.split('\n').some(line => Number(line.trim().split(/\s+/)[0]) === scene.queueKey)
      const path = '/proc/sysvipc/msg'
      const [host, container] = [has(hostFile(path)), has(await inside(scene, path))]
      return finding(
        container && !host,
        seen(`${path} (key ${scene.queueKey})`, say(host), say(container)),
        whyNotInside(scene.pid, 'ipc', host, container),
      )
    },
  },

  mount: {
    id: 'mount',
    claim: 'a mount made inside does not appear outside, and vice versa',
    look({ pid, mountSource }) {
      const at = (who: number | 'self') => mountinfo(who).find(m => m.source === mountSource)?.target
      // an unbindable mount propagates nothing: mount_namespaces(7)
      const travels = (who: number | 'self') =>
        mountinfo(who)
          .find(m => m.target === '/')
          ?.propagation.filter(tie => tie !== 'unbindable') ?? []
      const [host, container] = [at('self'), at(pid)]
      const separate = !isOurs(pid, 'mnt')
      return finding(
        container !== undefined && host === undefined && travels(pid).length === 0,
        [
          seen(`/proc/${pid}/mountinfo (${mountSource})`, host ?? 'absent', container ?? 'absent'),
          seen(
            `/proc/${pid}/mountinfo (propagation of /)`,
            travels('self').join(' ') || 'private',
            travels(pid).join(' ') || 'private',
          ),
        ],
        separate && travels(pid).length > 0
          ? `Its mounts are still tied to ours (${travels(pid).join(' ')}). mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL) cuts both ties; MS_SLAVE cuts only the one that leads out.`
          : whyNotInside(pid, 'mnt', host !== undefined, container !== undefined),
      )
    },
  },

  link: {
    id: 'link',
    claim: 'a network interface made inside does not exist outside',
    look({ pid, link }) {
      const has = (path: string) => hostFile(path).includes(`${link}:`)
      const [host, container] = [has('/proc/self/net/dev'), has(`/proc/${pid}/net/dev`)]
      return finding(
        container && !host,
        seen(`/proc/${pid}/net/dev (${link})`, say(host), say(container)),
        whyNotInside(pid, 'net', host, container),
      )
    },
  },

  uptime: {
    id: 'uptime',
    claim: 'its boot clock runs a day ahead of ours',
    async inside(scene: Scene & Made) {
      const ahead = uptime(await inside(scene, '/proc/uptime')) - uptime(hostFile('/proc/uptime'))
      return Math.abs(ahead) < 60
        ? 'as long as on the host'
        : ahead > 0
          ? 'a day longer than on the host'
          : 'a few seconds'
    },
    async look(scene) {
      const { pid } = scene
      if (namespaceInode(pid, 'time') === null) return notHere('this kernel has no time namespaces')
      if (isOurs(pid, 'time') && runtimeOf(pid) !== process.pid)
        return notHere('this version of the runtime makes no time namespaces')
      const container = uptime(await inside(scene, '/proc/uptime'))
      const host = uptime(hostFile('/proc/uptime'))
      const offsets = hostFile(`/proc/${pid}/timens_offsets`).trim().replace(/ +/g, ' ').split('\n')
      return finding(
        Math.abs(container - host - scene.uptimeAhead) < 60,
        [
          seen('/proc/uptime', `${host} s`, `${container} s`),
          seen(`/proc/${pid}/timens_offsets`, null, offsets.join(', ')),
        ],
        isOurs(pid, 'time')
          ? `It shares our time namespace: ${KINDS.time.flag} is missing.`
          : offsets.every(line => line.endsWith(' 0 0'))
            ? 'Its clocks agree with ours: the offsets were never written, or were written after the first process entered, when the kernel refuses them.'
            : 'The wrong clock was moved: /proc/uptime follows boottime, not monotonic.',
      )
    },
  },
} satisfies Record<string, (Check<Made> & { inside?(scene: Scene & Made): Promise<string> }) | Check<Made>[]>
