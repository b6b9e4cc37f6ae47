import { namespaces } from '../../lib/container/namespaces.ts'
import { program } from '../../lib/container/program.ts'
import { FIRST_SUBORDINATE_ID } from '../../lib/image/layer-store.ts'
import type { Step } from '../../lib/guide/step.ts'
import { OFFSETS_REFUSED, offsetsPossible } from '../../lib/kernel/time-offsets.ts'
import { checks } from './checks.ts'
import { leaveThings } from './visitor.ts'

/** The names of what is made inside, to be looked for outside. */
export interface Made {
  hostname: string
  queueKey: number
  mountSource: string
  link: string
  /** how much longer than the machine the container believes to be up, in seconds */
  uptimeAhead: number
}

const UPTIME_AHEAD = 86_400

export const step: Step<Made> = {
  number: 2,
  name: 'namespaces',
  title: 'The same kernel, seen through eight windows of its own',
  parts: [namespaces, program],
  teaches: ['namespaces'],
  scene: () => {
    const tag = process.pid.toString(36)
    return {
      hostname: `renamed-${tag}`,
      queueKey: 0x6d000000 + process.pid,
      mountSource: `minilab-${tag}`,
      link: `in-${tag}`,
      uptimeAhead: UPTIME_AHEAD,
    }
  },

  spec(spec, { rootless }) {
    // as root we can hand out ids that nobody has; an ordinary user has only his own to give
    if (!rootless) {
      const ids = { containerID: 0, hostID: FIRST_SUBORDINATE_ID, size: 65_536 }
      Object.assign(spec.linux, { uidMappings: [ids], gidMappings: [ids] })
    }
    const boottime = { secs: offsetsPossible() ? UPTIME_AHEAD : 0 }
    spec.linux.timeOffsets = { boottime, monotonic: { secs: 0 } }
  },

  stages: [
    {
      title: 'One clone, eight namespaces',
      explain:
        'A namespace is a window onto one kind of the kernel’s things: processes, mounts, host name, queues, network, users, cgroups, clocks. `clone3` takes a flag for each kind; the child gets a window of its own and ours stays as it was. The child waits at the gate (the `read` below) until we have said which users it has; the cgroup namespace comes by `unshare` after that, because its root is wherever one is at that moment.',
      source: { file: 'lib/container/namespaces.ts', symbol: 'namespaces' },
      act: async lab => void (await lab.begin()),
      checks: checks.inodes,
    },
    {
      title: 'Two process ids',
      explain:
        'A pid namespace counts from 1. The process keeps a number in the namespace above as well, so the host can still see it and send it signals; it just cannot see out. The line `NSpid` of `/proc/<pid>/status` gives all its numbers, outermost first.',
      predict: {
        question: 'The shell inside asks for its own pid (echo $$). What does it get?',
        choices: ['the same number as outside', '1', '2'],
        answer: checks.pid.inside,
        why: 'The first process of a pid namespace is its init: number 1. When it ends, the kernel kills all others in it.',
      },
      checks: [checks.pid],
    },
    {
      title: 'Root, but only here',
      explain:
        'A user namespace maps ids: “0 inside is 100000 outside”, say. Whoever is root inside holds every capability, but only over what belongs to the namespace; outside he is a user with no rights at all. This is why containers work without root: the one namespace that anybody may create gives the right to create all others.',
      source: { file: 'lib/kernel/id-maps.ts', symbol: 'writeIdMaps' },
      checks: [checks.uidMap, checks.rootInside],
    },
    {
      title: 'Make something inside, look for it outside',
      explain:
        'Now a visitor joins the container with `setns`, as `docker exec` does, and leaves things behind: another host name, a message queue, a mount, a network link. If each window is really the container’s own, none of it can be found on the host.',
      source: { file: 'chapters/2-namespaces/visitor.ts', symbol: 'leaveThings' },
      act: async lab => leaveThings(lab),
      checks: [checks.hostname, checks.queue, checks.mount, checks.link],
    },
    {
      title: 'Even time',
      explain:
        'The youngest kind of namespace moves the clocks that count from boot. Offsets can be written to `/proc/<pid>/timens_offsets` until the first process has entered, that is while our child waits at the gate. A container that is moved to another machine needs this: its timers must not jump.',
      predict: {
        question: 'The machine’s uptime, as the container reads it in /proc/uptime, is …',
        choices: ['the same', 'near zero', 'a day longer'],
        answer: checks.uptime.inside,
        why: 'We asked for an offset of 86400 seconds on the boot clock; /proc/uptime follows the reader’s time namespace.',
      },
      act: async lab => void (offsetsPossible() || lab.limit(OFFSETS_REFUSED.reason, OFFSETS_REFUSED.remedy)),
      checks: [checks.uptime],
    },
  ],

  recap:
    'You have a process that believes to be alone: process 1, root, on a machine with a name, network and clock of its own. Yet `ls /` inside still shows the host’s files, and `ps` the host’s processes, because /proc is still the host’s.',
  next: '`minilab step 3` gives it a root file system, and shows why chroot is not enough.',
}
