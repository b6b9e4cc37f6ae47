import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check, Scene } from '../../lib/guide/step.ts'
import {
  capabilityMask,
  capabilityNames,
  defaultCapabilities,
} from '../../lib/kernel/process/capabilities.ts'
import { descriptors, status } from '../../lib/kernel/process/procfs.ts'

/** Checks of what the container's root may still do. */

const hex = (mask: bigint) => mask.toString(16).padStart(16, '0')
const WANTED = hex(capabilityMask(defaultCapabilities))
const own = (field: string) => status('self')[field] ?? 'none'
const of = (pid: number, field: string) => status(pid)[field] ?? 'none'
const names = (mask: string) => capabilityNames(BigInt(`0x${mask}`))
const count = (mask: string) => names(mask).length

/** Which capabilities a set has that it should not have: some by name, or all that exist. */
function surplus(pid: number, set: 'CapEff' | 'CapBnd'): { all: boolean; besides: string[] } {
  const besides = names(of(pid, set)).filter(name => !defaultCapabilities.some(wanted => wanted === name))
  return { all: besides.length > 5, besides }
}

/** Why it holds other capabilities than it should. */
function whyCapable(pid: number): string {
  const { all, besides } = surplus(pid, 'CapEff')
  if (!all) return `Expected ${WANTED}. Besides: ${besides.join(' ') || 'nothing, but some are missing'}.`
  // capabilities(7): execve gives uid 0 all that the bounding set allows; with no_new_privs never more than it had
  return of(pid, 'NoNewPrivs') === '1'
    ? 'It holds every capability. Likeliest: capset was never called.'
    : 'It holds every capability. Likeliest: capset was called in vain, or never: execve gives root back everything that the bounding set allows.'
}

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

/** What should have refused them. */
function whyAllowed(pid: number, done: string[]): string {
  const found = `Not refused: ${done.join(', ')}.`
  if (names(of(pid, 'CapEff')).includes('CAP_SYS_ADMIN'))
    return `${found} Likeliest: CAP_SYS_ADMIN was kept, which is nearly all of root's power, and makes the filter allow as much.`
  if (!done.includes('a new user namespace'))
    return `${found} Likeliest: /proc/sys was not remounted read-only. Its files belong to the machine's root.`
  return of(pid, 'Seccomp') === '2'
    ? `${found} Likeliest: a filter is installed, but it lets every call through.`
    : `${found} It needs no capability: only a filter would refuse it. Likeliest: no filter was installed.`
}

export const rights = {
  capabilities: {
    id: 'capabilities',
    claim: "it holds Docker's default set of root's capabilities",
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
        whyCapable(pid),
      )
    },
  },

  bounding: {
    id: 'bounding-set',
    claim: 'it can never gain another capability: the bounding set is the same',
    look({ pid }) {
      const container = of(pid, 'CapBnd')
      return finding(
        container === WANTED,
        seen(`/proc/${pid}/status (CapBnd)`, own('CapBnd'), container),
        surplus(pid, 'CapBnd').all
          ? 'It can gain every capability. Likeliest: prctl(PR_CAPBSET_DROP) was never called, once for each: capset does not change this set.'
          : `Expected ${WANTED}. Besides: ${surplus(pid, 'CapBnd').besides.join(' ') || 'nothing, but some are missing'}.`,
      )
    },
  },

  noNewPrivileges: {
    id: 'no-new-privileges',
    claim: 'a setuid program cannot give it more rights',
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
    claim: 'it inherited none of our file descriptors',
    look({ pid }) {
      const open = Object.entries(descriptors(pid))
      const given = open.filter(([fd]) => Number(fd) < 3).map(([, file]) => file)
      const others = open.filter(([fd, file]) => Number(fd) > 2 && !given.includes(file)) // a shell may copy its own
      return finding(
        given.length === 3 && others.length === 0,
        seen(
          `/proc/${pid}/fd`,
          `${Object.keys(descriptors('self')).length} open`,
          ['0 1 2', ...others.map(([fd, file]) => `${fd} → ${file}`)].join(', '),
        ),
        'Likeliest: close_range was left out, and one of our descriptors was open. A directory left open is a way out (CVE-2024-21626).',
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
        whyAllowed(
          scene.pid,
          results.filter(({ refused }) => !refused).map(({ what }) => what),
        ),
      )
    },
  },
} satisfies Record<
  string,
  Check & { count?(scene: Scene): string; succeeded?(scene: Scene): Promise<string> }
>
