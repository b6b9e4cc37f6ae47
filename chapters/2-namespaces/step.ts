import { namespaces } from '../../lib/container/parts/namespaces.ts'
import { program } from '../../lib/container/parts/process.ts'
import { LAYERS_GROUP } from '../../lib/image/layer-store.ts'
import type { Step } from '../../lib/guide/step.ts'
import { OFFSETS_REFUSED, offsetsPossible } from '../../lib/kernel/process/time-offsets.ts'
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
      const ids = { containerID: 0, size: 65_536 }
      Object.assign(spec.linux, {
        uidMappings: [{ ...ids, hostID: 100_000 }],
        gidMappings: [{ ...ids, hostID: LAYERS_GROUP }], // so that its root may search the image's folder
      })
    }
    const boottime = { secs: offsetsPossible() ? UPTIME_AHEAD : 0 }
    spec.linux.timeOffsets = { boottime, monotonic: { secs: 0 } }
  },

  stages: [
    {
      title: 'One clone, eight namespaces',
      manual: ['clone(2)', 'namespaces(7)'],
      source: { file: 'lib/container/parts/namespaces.ts', symbol: 'namespaces' },
      act: async experiment => void (await experiment.begin()),
      checks: checks.inodes,
    },
    {
      title: 'Two process ids',
      manual: ['pid_namespaces(7)'],
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
      manual: ['user_namespaces(7)', 'capabilities(7)'],
      source: { file: 'lib/kernel/process/id-maps.ts', symbol: 'writeIdMaps' },
      checks: [checks.uidMap, checks.rootInside],
    },
    {
      title: 'Make something inside, look for it outside',
      manual: ['uts_namespaces(7)', 'ipc_namespaces(7)', 'mount_namespaces(7)', 'network_namespaces(7)'],
      source: { file: 'chapters/2-namespaces/visitor.ts', symbol: 'leaveThings' },
      act: async experiment => leaveThings(experiment),
      checks: [checks.hostname, checks.queue, checks.mount, checks.link],
    },
    {
      title: 'Even time',
      manual: ['time_namespaces(7)'],
      impossible: () => !offsetsPossible(),
      predict: {
        question:
          'We have written “boottime 86400” to that file: a day, in seconds. How long has the machine been up, as the container reads it in /proc/uptime?',
        choices: ['as long as for the host', 'a few seconds', 'a day longer than for the host'],
        answer: checks.uptime.inside,
        why: 'An offset is added to the clock, and does not start it anew; /proc/uptime follows the reader’s time namespace.',
      },
      act: async experiment =>
        void (offsetsPossible() || experiment.limit(OFFSETS_REFUSED.reason, OFFSETS_REFUSED.remedy)),
      checks: [checks.uptime],
    },
  ],

  recap:
    'You have a process that believes to be alone: process 1, root, on a machine with a name, network and clock of its own. Yet `ls /` inside still shows the host’s files, and `ps` the host’s processes, because /proc is still the host’s. From step 3 on each id is mapped to itself, because the files of an image belong to such ids; what root may do with that, step 7 takes away.',
  next: '`minilab step 3` gives it a root file system, and shows why chroot is not enough.',
}
