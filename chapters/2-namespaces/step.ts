import { namespaces } from '../../lib/container/parts/namespaces.ts'
import { program } from '../../lib/container/parts/process.ts'
import { LAYERS_GROUP } from '../../lib/image/layer-store.ts'
import { chapter } from '../../lib/guide/chapters.ts'
import type { Step } from '../../lib/guide/step.ts'
import { OFFSETS_REFUSED, offsetsPossible } from '../../lib/kernel/process/time-offsets.ts'
import { checks } from './checks.ts'
import { leaveThings } from './visitor.ts'

/** What is made inside and looked for outside, by name. */
export interface Made {
  hostname: string
  queueKey: number
  mountSource: string
  link: string
  /** how many seconds longer than the machine the container claims to be up */
  uptimeAhead: number
}

const UPTIME_AHEAD = 86_400

export const step: Step<Made> = {
  ...chapter('namespaces'),
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
    // root can give out unused ids; an ordinary user has only their own to give
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
          'We wrote “boottime 86400” to that file: one day, in seconds. According to /proc/uptime inside the container, how long has the machine been up?',
        choices: ['as long as on the host', 'a few seconds', 'a day longer than on the host'],
        answer: checks.uptime.inside,
        why: 'An offset is added to the clock; it does not restart it. /proc/uptime follows the time namespace of its reader.',
      },
      act: async experiment =>
        void (offsetsPossible() || experiment.limit(OFFSETS_REFUSED.reason, OFFSETS_REFUSED.remedy)),
      checks: [checks.uptime],
    },
  ],

  recap:
    "You have a process that believes it is alone: process 1, root, on a machine with its own name, network and clock. Yet `ls /` inside still shows the host's files, and `ps` the host's processes, because /proc is still the host's. From step 3 on, each id is mapped to itself, because the files of an image belong to those ids. Step 7 takes away what root could do with that.",
  next: '`minilab step 3` gives it a root file system, and shows why chroot is not enough.',
}
