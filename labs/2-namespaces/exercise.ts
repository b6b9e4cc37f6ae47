import type { Made } from '../../chapters/2-namespaces/step.ts'
import type { IdMapping, Spec } from '../../lib/container/spec.ts'
import { chapter } from '../../lib/guide/chapters.ts'
import { changeSpec } from '../../lib/guide/mutant.ts'
import type { Check, Step } from '../../lib/guide/step.ts'
import type { Exercise } from '../../lib/labs/exercise.ts'
import { asAskedStage } from './as-asked.ts'
import { allPrivate, mapped, named } from './checks.ts'
import { otherMapsStage } from './other-maps.ts'
import { setgroupsStage } from './setgroups.ts'

const lines = (mappings: IdMapping[] = []) =>
  mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}`).join('\n')

export const exercise: Exercise<Made> = {
  ...chapter('namespaces'),
  goal: "You give a process namespaces: first one, in the end all eight. Afterwards you can say which come with the clone and which the child makes itself, who the container's root is outside, and why a mount namespace alone does not keep mounts apart.",
  manPages: [
    'namespaces(7)',
    'clone(2)',
    'uts_namespaces(7)',
    'pid_namespaces(7)',
    'user_namespaces(7)',
    'cgroup_namespaces(7)',
    'mount_namespaces(7)',
    'unshare(2)',
    'setresuid(2)',
  ],
  exports: { namespaces: { part: 'namespaces' } },
  onHost: true,
  build(step) {
    const hostname = `lab-é-${process.pid.toString(36)}` // of more bytes than letters
    let spec: Spec | undefined
    const changed = changeSpec(step, asked => {
      asked.hostname = hostname
      spec ??= asked
    })
    const maps = () => ({ uid_map: lines(spec?.linux.uidMappings), gid_map: lines(spec?.linux.gidMappings) })
    const more: Record<string, Check<Made>> = {
      'One clone, eight namespaces': named(hostname),
      'Root, but only here': mapped(maps),
      'Make something inside, look for it outside': allPrivate,
    }
    const checked = withChecks(changed, more)
    return { ...checked, stages: [...checked.stages, otherMapsStage(), setgroupsStage(), asAskedStage()] }
  },

  tasks: [
    {
      id: 'uts',
      title: 'One window: its own name',
      text: 'The host name belongs to the uts namespace. `flags` returns the flags of the clone that makes the child: give the child its own uts namespace, and set the name `spec.hostname` in it. The machine keeps its name.',
      checks: ['own-uts', 'named', 'hostname'],
      hints: [
        'Two things, at two moments: the new namespace exists as soon as the child does; a process inside sets the name.',
        'The flag `CLONE_NEWUTS` in `flags`, and `sethostname` in `inside`. It also needs the length in bytes.',
        '`return CLONE_NEWUTS`, and `tape.sethostname(spec.hostname!, Buffer.byteLength(spec.hostname!))`.',
      ],
    },
    {
      id: 'pid',
      title: 'Process 1',
      text: 'Add a pid namespace. The program must be process 1 in it, while the host sees it under another number. When process 1 ends, the kernel kills all others in it.',
      checks: ['own-pid', 'pid-one'],
      hints: [
        'A process keeps its number for life, so it cannot move to another pid namespace. When does it get its number?',
        'A flag of the clone again; combine flags with `|`. After `unshare`, only later children would be inside.',
        '`return CLONE_NEWUTS | CLONE_NEWPID`',
      ],
    },
    {
      id: 'all',
      title: 'All eight, if they are asked for',
      text: '`spec.linux.namespaces` lists the namespaces that a container gets: `user`, `pid`, `mount`, `uts`, `ipc`, `network`, `cgroup`, `time`. Make exactly those; a second container asks for one less. The root of a cgroup namespace is the cgroup that its creator is in at that moment, and the child is moved to its cgroup only after the clone. So the child makes this namespace itself.',
      checks: [
        'own-user',
        'own-pid',
        'own-mnt',
        'own-uts',
        'own-ipc',
        'own-net',
        'own-cgroup',
        'own-time',
        'queue',
        'link',
        'only-asked',
        'bare',
        'cgroup-later',
      ],
      hints: [
        'A table from the names of the specification to flags makes it short. What does a kind that is not in the list add to the flags?',
        '`CLONE_NEWUSER`, `CLONE_NEWPID`, `CLONE_NEWNS` for `mount`, `CLONE_NEWUTS`, `CLONE_NEWIPC`, `CLONE_NEWNET`, `CLONE_NEWTIME`; and in `inside` the call `unshare` with `CLONE_NEWCGROUP`.',
        '`spec.linux.namespaces.reduce((flags, { type }) => flags | (TABLE[type] ?? 0), 0)`; and where `cgroup` is in the list, `tape.unshare(CLONE_NEWCGROUP)`.',
      ],
    },
    {
      id: 'map',
      title: 'Root inside, another user outside',
      text: 'A new user namespace has no users: every id is 65534, called `nobody`. While the child waits for us, we write who they are to `/proc/<pid>/uid_map` and `gid_map`: a line `inside outside count` for each entry of `spec.linux.uidMappings` and `gidMappings`, each file in one write. Without root, the kernel accepts a `gid_map` only after `deny` was written to `/proc/<pid>/setgroups`; as root, leave that file alone. Then the child becomes user and group 0. A container without a user namespace gets no map.',
      checks: ['uid-map', 'maps-asked', 'root-inside', 'other-maps', 'setgroups-root', 'setgroups-ordinary'],
      hints: [
        'A process may not write its own map of more than one id: a process outside does it, once the child exists. Only then can the child change its ids.',
        '`writeControl` in `attach`, twice, and `setresgid` and `setresuid` in `inside`: it runs when `attach` has ended. `process.getuid()` tells whether we are root.',
        "`writeControl('/proc/' + pid + '/uid_map', …)` with `containerID + ' ' + hostID + ' ' + size + '\\n'` for each entry, the same for `gid_map`; `tape.setresgid(0, 0, 0)` and `tape.setresuid(0, 0, 0)`, before all else.",
      ],
    },
    {
      id: 'private',
      title: 'Mounts that do not travel',
      text: 'A new mount namespace is a copy, but the copies may still be tied: on most machines mounts are shared, so what is mounted in one namespace appears in the other. Cut the ties of the root and of all mounts below it, in both directions.',
      checks: ['own-mnt', 'mount', 'all-private', 'bare-mounts'],
      hints: [
        'Look at the end of the lines of `/proc/self/mountinfo`: `shared:1`, `master:1`, or nothing. What should be there in the container?',
        '`mount` can change how a mount propagates: source, type and data are then `null`, the target is `/`. One flag says private, another applies it to all mounts below.',
        "`tape.mount(null, '/', null, MS_REC | MS_PRIVATE, null)`",
      ],
    },
  ],

  challenge:
    'A specification can ask for two more things. `spec.linux.timeOffsets` moves the clocks (`uptime` in `minilab step 2`): write the offsets to `/proc/<pid>/timens_offsets` before the first process enters. And if an entry of `namespaces` has a `path`, join that namespace with setns(2).',

  reasons: [
    {
      call: 'write("/proc/<pid>/uid_map"',
      task: 'map',
      why: 'Only a process outside can say who the users inside are; until then, every id is 65534 (`nobody`).',
    },
    {
      call: 'write("/proc/<pid>/gid_map"',
      task: 'map',
      why: 'Groups have their own map: without it, the child cannot become group 0.',
    },
    {
      call: 'write("/proc/<pid>/setgroups"',
      task: 'map',
      why: 'A process that leaves a group may gain access that the group is denied. So without root, the kernel requires this first.',
    },
    { call: 'sethostname(', task: 'uts', why: 'A new uts namespace begins with the name of the old one.' },
    {
      call: 'unshare(',
      task: 'all',
      why: 'The root of a cgroup namespace is the cgroup its creator is in at that moment; at the clone, that was still ours.',
    },
    {
      call: 'setresgid(',
      task: 'map',
      why: 'The map only says who group 0 is; the child has to become it. Until then, the files that it makes belong to `nobody`.',
    },
    {
      call: 'setresuid(',
      task: 'map',
      why: 'The map only says who root is; the child has to become root.',
    },
    {
      call: 'mount(',
      task: 'private',
      why: 'A copied mount stays in the peer group of its origin, or follows it, until it is made private.',
    },
  ],
}

/** The step with another check at the end of some stages, by their titles. */
function withChecks(step: Step<Made>, more: Record<string, Check<Made>>): Step<Made> {
  const stages = step.stages.map(stage => {
    const check = more[stage.title]
    return check ? { ...stage, checks: [...(stage.checks ?? []), check] } : stage
  })
  return { ...step, stages }
}
