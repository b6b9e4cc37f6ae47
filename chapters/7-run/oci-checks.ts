import { readlinkSync } from 'node:fs'
import { finding, notHere, seen } from '../../lib/guide/evidence.ts'
import type { Check } from '../../lib/guide/step.ts'
import { capabilityMask, defaultCapabilities } from '../../lib/kernel/process/capabilities.ts'
import { readCgroup } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { mountinfo } from '../../lib/kernel/mount/mountinfo.ts'
import {
  ifReadable,
  namespaceInode,
  nsPids,
  parentOf,
  processExists,
  status,
  nulSeparated,
} from '../../lib/kernel/process/procfs.ts'
import { JOINED } from './commands.ts'
import { type Life, leftOf } from './oci-life.ts'

/** Checks of a container that the commands of minilab-oci make, each from the moment after its command. */

const exeOf = (pid: number) => ifReadable(() => readlinkSync(`/proc/${pid}/exe`)) ?? 'none'
const WANTED = capabilityMask(defaultCapabilities).toString(16).padStart(16, '0')

export const ociChecks = {
  created: {
    id: 'created',
    claim: 'after `create` a process waits at a FIFO, and `state` says `created`',
    look({ pid, waiting, fifo, state }) {
      return finding(
        waiting.startsWith('/memfd:minilab') &&
          fifo !== '' &&
          state.status === 'created' &&
          state.pid === pid,
        [
          seen(`/proc/${pid}/exe`, null, waiting),
          seen(`/proc/${pid}/fd`, null, fifo ? '…/state/box/start' : 'no FIFO'),
          seen('minilab-oci state', null, `${state.status}, pid ${state.pid}`),
        ],
        'It does not wait. Likeliest: `create` has also started the program.',
      )
    },
  },

  built: {
    id: 'built',
    claim: 'around it all is built already: namespaces, root, limits',
    look({ pid, memory, cgroups }) {
      const kinds = JOINED.filter(kind => namespaceInode(pid, kind) !== namespaceInode('self', kind))
      const proc = mountinfo(pid).some(({ target, type }) => target === '/proc' && type === 'proc')
      const limit = cgroups.length > 0 ? readCgroup(pid, 'memoryLimit') : undefined
      const isNumber1 = nsPids(pid).at(-1) === 1
      return finding(
        proc && isNumber1 && kinds.includes('mnt') && (!limit || limit.value === String(memory)),
        [
          seen(`/proc/${pid}/ns`, null, `its own: ${kinds.join(' ')}`),
          seen(`/proc/${pid}/mountinfo`, null, proc ? 'its own /proc' : "the host's /proc"),
          ...(limit ? [seen(limit.source, null, limit.value)] : []),
        ],
        'Something is missing. Likeliest: it is only made by `start`, and an engine that works on the container between the two finds none.',
      )
    },
  },

  alone: {
    id: 'no-runtime-left',
    claim: 'no process of minilab-oci stays with it',
    look({ pid }) {
      const parent = parentOf(pid)
      const command = nulSeparated(`/proc/${parent}/cmdline`)
      return finding(
        !command.some(word => word.endsWith('oci.mjs')),
        seen(`/proc/${pid}/status (PPid)`, null, `${parent}: ${command[0] ?? 'a process outside'}`),
        'Its parent is a process of minilab-oci. Then an engine that waits for `create` to end would wait for ever.',
      )
    },
  },

  started: {
    id: 'started',
    claim: 'after `start` the same process is the program',
    async look({ pid, shell, waiting }) {
      const { output } = await shell.run('echo $$')
      return finding(
        output === '1' && exeOf(pid) !== waiting,
        [seen(`/proc/${pid}/exe`, null, exeOf(pid)), seen('echo $$', null, output)],
        'Another process answers. Likeliest: `start` has made a second container.',
      )
    },
  },

  rights: {
    id: 'rights',
    claim: 'before that the second stage has given up its rights',
    look({ pid }) {
      const { CapEff = '', Seccomp = '', NoNewPrivs = '' } = status(pid)
      return finding(
        CapEff === WANTED && Seccomp === '2' && NoNewPrivs === '1',
        seen(`/proc/${pid}/status`, null, `CapEff ${CapEff}, Seccomp ${Seccomp}, NoNewPrivs ${NoNewPrivs}`),
        'It has other rights than config.json gives. Likeliest: they were changed before the `execve` of the second stage, which has given them back.',
      )
    },
  },

  once: {
    id: 'started-once',
    claim: 'a second `start` is refused',
    look({ pid, again }) {
      return finding(
        again.status !== 0 && processExists(pid),
        seen('minilab-oci start', null, `status ${again.status}`),
        'It was started twice.',
      )
    },
  },

  joined: {
    id: 'oci-exec-joins',
    claim: '`exec` joins all namespaces of that process',
    look({ pid, exec }) {
      const lines = exec.output.split('\n')
      const same = JOINED.filter(kind => lines.includes(`${kind}:[${namespaceInode(pid, kind)}]`))
      return finding(
        exec.status === 0 && same.length === JOINED.length,
        seen(`/proc/${pid}/ns, /proc/self/ns`, null, `the same: ${same.join(' ') || 'none'}`),
        `It is not in the container's: ${JOINED.filter(kind => !same.includes(kind)).join(' ')}.`,
      )
    },
  },

  frozen: {
    id: 'oci-frozen',
    claim: 'after `pause` the kernel runs none of its processes',
    look({ frozen, where, cgroups }) {
      if (cgroups.length === 0) return notHere('it has no own cgroup')
      return finding(
        ['FROZEN', '1'].includes(frozen),
        seen(where, null, frozen),
        'Its cgroup is not frozen. Likeliest: `pause` has not waited until the kernel had stopped every process.',
      )
    },
  },

  goesOn: {
    id: 'oci-goes-on',
    claim: 'after `resume` it answers again',
    async look({ thawed, where, cgroups, shell }) {
      if (cgroups.length === 0) return notHere('it has no own cgroup')
      const { output } = await shell.run('echo here')
      return finding(
        ['THAWED', '0'].includes(thawed) && output === 'here',
        [seen(where, null, thawed), seen('echo here', null, output)],
        'It is still frozen.',
      )
    },
  },

  gone: {
    id: 'oci-gone',
    claim: 'after `delete` there is no process, no cgroup and no state',
    look(scene) {
      const left = leftOf(scene)
      return finding(
        left.length === 0 && scene.afterwards.output.includes('does not exist'),
        seen(`/proc/${scene.pid}, its cgroups, …/state/box`, left.length ? left.join(' ') : 'gone', null),
        `Still there: ${left.join(' ')}.`,
      )
    },
  },
} satisfies Record<string, Check<Life>>
