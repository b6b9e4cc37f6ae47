import { withoutNamespace } from '../../lib/guide/leave-out.ts'
import {
  callsOf,
  changeAct,
  changeCalls,
  changePart,
  changeSpec,
  type Mutant,
  withoutCalls,
} from '../../lib/guide/mutant.ts'
import { CLONE_NEWPID } from '../../lib/kernel/syscalls/constants.ts'
import { now } from '../../lib/kernel/syscalls/now.ts'
import type { Made } from './step.ts'
import { leaveThings } from './visitor.ts'

const EVERYONE = [{ containerID: 0, hostID: 0, size: 4_294_967_295 }]

/** Wrong ways to build this chapter's part. */
export const mutants: Mutant<Made>[] = [
  {
    name: 'no-user',
    misconception: 'root was thought to need no user namespace, so its root is ours',
    breaks: {
      'own-user': 'CLONE_NEWUSER is missing',
      'uid-map': 'in our own user namespace',
      'root-inside': 'in our own user namespace',
    },
    change: step => withoutNamespace(step, 'user'),
  },
  {
    name: 'no-pid',
    misconception: "CLONE_NEWPID was forgotten, so it sees the host's processes and shares their numbers",
    breaks: { 'own-pid': 'CLONE_NEWPID is missing', 'pid-one': 'CLONE_NEWPID is missing' },
    change: step => withoutNamespace(step, 'pid'),
  },
  {
    name: 'no-mnt',
    misconception: 'a user namespace was thought to include a mount namespace, without CLONE_NEWNS',
    breaks: { 'own-mnt': 'CLONE_NEWNS is missing', mount: 'CLONE_NEWNS is missing' },
    change: step => withoutNamespace(step, 'mount'),
  },
  {
    name: 'no-uts',
    misconception: "CLONE_NEWUTS was forgotten, so its name is the machine's name",
    breaks: { 'own-uts': 'CLONE_NEWUTS is missing', hostname: 'CLONE_NEWUTS is missing' },
    change: step => withoutNamespace(step, 'uts'),
  },
  {
    name: 'no-ipc',
    misconception: 'CLONE_NEWIPC was forgotten, so it shares its queues with the host',
    breaks: { 'own-ipc': 'CLONE_NEWIPC is missing', queue: 'CLONE_NEWIPC is missing' },
    change: step => withoutNamespace(step, 'ipc'),
  },
  {
    name: 'no-net',
    misconception: "CLONE_NEWNET was forgotten, so it uses the host's network interfaces",
    breaks: { 'own-net': 'CLONE_NEWNET is missing', link: 'CLONE_NEWNET is missing' },
    change: step => withoutNamespace(step, 'network'),
  },
  {
    name: 'no-cgroup',
    misconception: 'the cgroup namespace, which is made after the clone, was forgotten',
    breaks: { 'own-cgroup': 'unshare(CLONE_NEWCGROUP) was never called' },
    change: step => withoutNamespace(step, 'cgroup'),
  },
  {
    name: 'no-time',
    misconception: 'CLONE_NEWTIME was forgotten, so its clocks are ours',
    breaks: { 'own-time': 'CLONE_NEWTIME is missing', uptime: 'CLONE_NEWTIME is missing' },
    change: step => withoutNamespace(step, 'time'),
  },
  {
    name: 'no-fork',
    misconception: 'unshare(CLONE_NEWPID) was thought to move the caller itself into the new namespace',
    breaks: { 'own-pid': 'nothing forked after it', 'pid-one': 'nothing forked after it' },
    change: step =>
      changeCalls(withoutNamespace(step, 'pid'), 'namespaces', ops => [
        ...ops,
        ...callsOf('namespaces', tape => tape.unshare(CLONE_NEWPID)),
      ]),
  },
  {
    name: 'wrapper',
    misconception: 'the first process is a shell that starts the program, so the program is not process 1',
    breaks: { 'pid-one': 'process 1 is a wrapper' },
    change: step =>
      changeSpec(step, ({ process }) => {
        process.args = ['/bin/sh', '-c', '"$@"; exit $?', 'sh', ...process.args]
      }),
  },
  {
    name: 'no-map',
    misconception: 'a new user namespace was thought to have users: no map was written',
    breaks: { 'uid-map': '/proc/<pid>/uid_map was not written', 'root-inside': 'it was never written' },
    change: step =>
      withoutCalls(
        changePart(step, 'namespaces', right => ({
          ...right,
          attach({ spec, ...container }, pid) {
            const namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'user')
            const unmapped = { ...spec, linux: { ...spec.linux, namespaces } }
            return right.attach?.({ ...container, spec: unmapped }, pid)
          },
        })),
        'namespaces',
        ({ call }) => ['setresuid', 'setresgid'].includes(call), // EINVAL, without a map
      ),
  },
  {
    name: 'host-ids',
    misconception: 'a user namespace was thought to be enough, and every id was mapped to itself',
    breaks: { 'uid-map': 'Every id is mapped to itself' },
    rootOnly: 'other users have only one id to map',
    change: step =>
      changeSpec(step, ({ linux }) => Object.assign(linux, { uidMappings: EVERYONE, gidMappings: EVERYONE })),
  },
  {
    name: 'never-root',
    misconception: 'the map alone was thought to make the process root: it never called setresuid',
    breaks: { 'root-inside': 'never became uid 0' },
    rootOnly: 'other users can map only their own id, which they have already',
    change: step => withoutCalls(step, 'namespaces', ({ call }) => ['setresuid', 'setresgid'].includes(call)),
  },
  {
    name: 'no-private',
    misconception: 'a new mount namespace was thought to be separate: private propagation was forgotten',
    breaks: { mount: 'MS_REC|MS_PRIVATE, NULL) cuts both ties' },
    change: step => withoutCalls(step, 'namespaces', ({ call }) => call === 'mount'),
  },
  {
    name: 'hostname-before-clone',
    misconception: 'the host name was set before the clone, when there was only one uts namespace',
    breaks: { hostname: 'set before the clone' },
    change: step =>
      changeAct(step, 'One clone, eight namespaces', async (experiment, right) => {
        now.sethostname(experiment.scene.hostname, experiment.scene.hostname.length)
        await right(experiment)
      }),
  },
  {
    name: 'no-setns',
    misconception: "knowing the container's pid was thought to be enough to act inside",
    breaks: {
      hostname: 'the visitor never joined',
      queue: 'the visitor never joined',
      mount: 'the visitor never joined',
    },
    change: step =>
      changeAct(step, 'Make something inside, look for it outside', experiment =>
        leaveThings(experiment, []),
      ),
  },
  {
    name: 'no-offsets',
    misconception: 'a new time namespace was thought to begin at zero: no offsets were written',
    breaks: { uptime: 'the offsets were never written' },
    change: step => changeSpec(step, ({ linux }) => void delete linux.timeOffsets),
  },
  {
    name: 'wrong-clock',
    misconception: 'the offset was written for the monotonic clock, but the boot clock was meant',
    breaks: { uptime: 'follows boottime, not monotonic' },
    change: step =>
      changeSpec(step, ({ linux }) => {
        const { monotonic = {}, boottime = {} } = linux.timeOffsets ?? {}
        linux.timeOffsets = { monotonic: boottime, boottime: monotonic }
      }),
  },
]
