import { statSync } from 'node:fs'
import { finding, notHere, seen } from '../../lib/guide/evidence.ts'
import type { Check, Scene } from '../../lib/guide/step.ts'
import { readCgroup } from '../../lib/kernel/cgroupfs.ts'
import { capabilityNames, defaultCapabilities, capabilityMask } from '../../lib/kernel/capabilities.ts'
import { mountinfo } from '../../lib/kernel/mountinfo.ts'
import { descriptors, namespaceInode, NAMESPACES, status } from '../../lib/kernel/procfs.ts'
import { openRtnetlinkIn } from '../../lib/kernel/rtnetlink.ts'
import type { Ran } from './step.ts'

const hex = (mask: bigint) => mask.toString(16).padStart(16, '0')
const WANTED = hex(capabilityMask(defaultCapabilities))
const own = (field: string) => status('self')[field] ?? 'none'
const of = (pid: number, field: string) => status(pid)[field] ?? 'none'
const count = (mask: string) => capabilityNames(BigInt(`0x${mask}`)).length

/** What an intruder would try first; each must be refused by the kernel. */
const ATTEMPTS = [
  ['mount -t tmpfs none /mnt', 'mount'],
  ['hostname intruder', 'rename the machine'],
  ['unshare -U true', 'a new user namespace'],
  ['(echo intruder > /proc/sys/kernel/domainname)', 'a kernel setting'],
] as const

async function attempts({ shell }: Scene): Promise<{ what: string; answer: string; refused: boolean }[]> {
  const results = []
  for (const [command, what] of ATTEMPTS) {
    const { status: failed, output } = await shell.run(command)
    results.push({ what, answer: output.split(': ').at(-1) ?? '', refused: failed !== 0 })
  }
  return results
}

export const checks = {
  capabilities: {
    id: 'capabilities',
    claim: 'of root’s capabilities it holds Docker’s default set',
    count: ({ pid }: Scene) => {
      const held = count(of(pid, 'CapEff'))
      return held === 0 ? 'none' : held === defaultCapabilities.length ? String(held) : 'all'
    },
    look({ pid }) {
      const [host, container] = [own('CapEff'), of(pid, 'CapEff')]
      return finding(
        container === WANTED && of(pid, 'CapPrm') === WANTED,
        seen(
          `/proc/${pid}/status (CapEff)`,
          `${host} (${count(host)})`,
          `${container} (${count(container)})`,
        ),
        `Expected ${WANTED}. Likeliest: capset was left out, or came before setresuid, which gave them back.`,
      )
    },
  },

  bounding: {
    id: 'bounding-set',
    claim: 'and can never gain another: the bounding set is the same',
    look({ pid }) {
      const container = of(pid, 'CapBnd')
      return finding(
        container === WANTED,
        seen(`/proc/${pid}/status (CapBnd)`, own('CapBnd'), container),
        `Expected ${WANTED}. Likeliest: only capset was called; the bounding set is dropped by prctl(PR_CAPBSET_DROP), one by one.`,
      )
    },
  },

  noNewPrivileges: {
    id: 'no-new-privileges',
    claim: 'a setuid program cannot raise it',
    look({ pid }) {
      return finding(
        of(pid, 'NoNewPrivs') === '1',
        seen(`/proc/${pid}/status (NoNewPrivs)`, own('NoNewPrivs'), of(pid, 'NoNewPrivs')),
        'Likeliest: prctl(PR_SET_NO_NEW_PRIVS, 1) was left out.',
      )
    },
  },

  seccomp: {
    id: 'seccomp',
    claim: 'the kernel asks a filter before each of its system calls',
    look({ pid }) {
      return finding(
        of(pid, 'Seccomp') === '2',
        seen(`/proc/${pid}/status (Seccomp)`, own('Seccomp'), of(pid, 'Seccomp')),
        'Mode 2 is a filter, 0 none. Likeliest: seccomp(SECCOMP_SET_MODE_FILTER) was never called.',
      )
    },
  },

  descriptors: {
    id: 'no-descriptor-of-ours',
    claim: 'no descriptor of ours came along',
    look({ pid }) {
      const got = Object.keys(descriptors(pid)).filter(fd => Number(fd) < 10) // a shell keeps its own above 9
      return finding(
        got.join(' ') === '0 1 2',
        seen(`/proc/${pid}/fd`, `${Object.keys(descriptors('self')).length} open`, got.join(' ')),
        'Likeliest: close_range(3, …, CLOSE_RANGE_CLOEXEC) was left out. A directory left open is a way out (CVE-2024-21626).',
      )
    },
  },

  attempts: {
    id: 'attempts-refused',
    claim: 'everything that it tries is refused',
    succeeded: async (scene: Scene) => String((await attempts(scene)).filter(a => !a.refused).length),
    async look(scene) {
      const results = await attempts(scene)
      return finding(
        results.every(({ refused }) => refused),
        results.map(({ what, answer, refused }) => seen(what, null, refused ? answer : 'done')),
        'Likeliest: capabilities were kept, or the filter was not installed.',
      )
    },
  },

  namespaces: {
    id: 'namespaces',
    claim: 'eight namespaces of its own',
    look({ pid }) {
      const kinds = NAMESPACES.filter(kind => namespaceInode('self', kind) !== null)
      const differ = kinds.filter(kind => namespaceInode(pid, kind) !== namespaceInode('self', kind))
      return finding(
        differ.length === kinds.length,
        seen(`/proc/${pid}/ns`, null, differ.join(' ')),
        `Shared with the host: ${kinds.filter(kind => !differ.includes(kind)).join(' ')}.`,
      )
    },
  },

  layers: {
    id: 'layers',
    claim: 'its root is an overlay that the host does not have',
    look({ pid }) {
      const top = mountinfo(pid).find(m => m.target === '/')
      const onHost = mountinfo().some(m => m.type === 'overlay' && m.device === top?.device)
      return finding(
        top?.type === 'overlay' && !onHost,
        seen(`/proc/${pid}/mountinfo (/)`, onHost ? 'there too' : 'absent', top?.type ?? 'none'),
        'Likeliest: the layers part is missing, or the overlay was mounted before the mount namespace was private.',
      )
    },
  },

  limits: {
    id: 'limits',
    claim: 'its memory is limited',
    look({ pid, memory }) {
      const limit = readCgroup(pid, 'memoryLimit')
      const ours = readCgroup(process.pid, 'memoryLimit')
      if (!limit || limit.source === ours?.source)
        return notHere('no cgroup of its own can be had here: step 4 says why, and what would help')
      return finding(
        limit.value === String(memory),
        seen(limit.source, ours?.value ?? null, limit.value),
        'Likeliest: the limit was written to another cgroup than the process is in.',
      )
    },
  },

  network: {
    id: 'network',
    claim: 'it has an eth0 with an address of its own',
    async look({ pid }) {
      const rtnetlink = await openRtnetlinkIn(pid)
      try {
        const address = rtnetlink.addresses().find(a => a.dev === 'eth0' && !a.address.includes(':'))
        const link = rtnetlink.links().find(l => l.name === 'eth0')
        return finding(
          address !== undefined && link?.kind === 'veth' && link.running,
          seen(
            `rtnetlink in /proc/${pid}/ns/net`,
            null,
            `${link?.kind ?? 'no eth0'} ${address?.address ?? 'without address'}`,
          ),
          'Likeliest: the veth end was left in the host, or is down.',
        )
      } finally {
        rtnetlink.close()
      }
    },
  },

  run: {
    id: 'run-status',
    claim: '`minilab run` hands on what its program prints, and its exit status',
    look({ run }) {
      return finding(
        run.status === 7 && run.output === 'I am process 1',
        seen('waitid, stdout', null, `${run.output}, status ${run.status}`),
        'Likeliest: the status of a helper in between was handed on, or there is no pid namespace.',
      )
    },
  },

  background: {
    id: 'run-detached',
    claim: 'a container in the background goes on when the command has ended',
    look({ listed }) {
      return finding(
        listed !== undefined && listed.pids.at(-1) === 1,
        seen(`/proc/${listed?.pid}/status (NSpid)`, listed?.pids[0] ?? 'none', listed?.pids.at(-1) ?? 'none'),
        'It cannot be found. Likeliest: it ended with the command that had started it (PR_SET_PDEATHSIG).',
      )
    },
  },

  exec: {
    id: 'exec-joins',
    claim: '`exec` runs in the same namespaces as the container’s first process',
    look({ exec }) {
      const [first, other] = exec.output.split('\n')
      const host = `mnt:[${statSync('/proc/self/ns/mnt').ino}]`
      return finding(
        exec.status === 0 && first === other && first !== host && first !== undefined,
        seen('/proc/1/ns/mnt, /proc/self/ns/mnt', host, exec.output.replace('\n', ', ')),
        'Likeliest: setns was given the wrong pidfd, or only some of the flags.',
      )
    },
  },

  removed: {
    id: 'kill-rm',
    claim: 'after `kill` and `rm` nothing is left of it',
    look({ listed, killed, left }) {
      const gone =
        listed === undefined || statSync(`/proc/${listed.pid}`, { throwIfNoEntry: false }) === undefined
      return finding(
        killed.status === 0 && gone && left.output === 'false',
        seen(
          `/proc/${listed?.pid}, minilab ps -a`,
          gone ? 'gone' : 'still there',
          left.output === 'false' ? 'not listed' : 'listed',
        ),
        'Likeliest: the signal went to the wrong process, or the state was not removed.',
      )
    },
  },
} satisfies Record<
  string,
  Check<Ran> & { count?(scene: Scene): string; succeeded?(scene: Scene): Promise<string> }
>
