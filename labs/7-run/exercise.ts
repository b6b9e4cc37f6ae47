import { certain } from '../../lib/common/certain.ts'
import { learnersError } from '../../lib/labs/problem.ts'
import { COMMANDS, type Ran } from '../../chapters/7-run/commands.ts'
import { isPart, type Part } from '../../lib/container/part.ts'
import { chapter } from '../../lib/guide/chapters.ts'
import { changePart, changeSpec } from '../../lib/guide/mutant.ts'
import type { Step } from '../../lib/guide/step.ts'
import { inSandbox } from '../../lib/labs/cable.ts'
import type { Exercise } from '../../lib/labs/exercise.ts'
import { refuseLinks } from './filter.ts'
import { firstStage } from './first.ts'
import { rareUmask, withoutGroups } from './other.ts'
import { otherStage } from './other-checks.ts'
import { type Latest, noteTape } from './refused.ts'

/** What the learner's files call a part, if that is not its name. */
const EXPORTED: Record<string, string> = { process: 'program' }

/** The parts in the order of the learner's list; for labs not yet passed, our parts are used. */
function inOrder(step: Step<Ran>, list: Part[]): Part[] {
  const called = (name: string) => EXPORTED[name] ?? name
  const twice = list.find(({ name }, i) => list.findIndex(part => part.name === name) < i)
  if (twice)
    throw learnersError({
      what: `${called(twice.name)} is in \`parts\` twice`,
      remedy: 'list each part once: the child makes its calls as often as it is listed',
    })
  const missing = step.parts.filter(({ name }) => !list.some(part => part.name === name))
  if (missing.length > 0)
    throw learnersError({
      what: `\`parts\` has no ${missing.map(({ name }) => called(name)).join(', no ')}`,
      remedy: 'list all seven: a container needs each of them',
    })
  return list.map(part => step.parts.find(({ name }) => name === part.name) ?? part)
}

export const exercise: Exercise<Ran> = {
  ...chapter('run'),
  goal: "You put your parts together and take away the rights that the container's root does not need. At the end `minilab run --mine` starts images with a runtime that you have written.",
  manPages: [
    'capabilities(7)',
    'prctl(2)',
    'capset(2)',
    'credentials(7)',
    'seccomp(2)',
    'user_namespaces(7)',
    'execve(2)',
  ],
  exports: { parts: 'list', hardening: { part: 'hardening' } },
  build(step, { parts }) {
    const listed = { ...step, parts: inOrder(step, parts as Part[]) }
    const umask = rareUmask()
    const latest: Latest = { ops: [] }
    const bounded = noteTape(changePart(listed, 'network', inSandbox), latest)
    const ordered = changeSpec(changePart(bounded, 'namespaces', withoutGroups), spec => {
      refuseLinks(spec)
      spec.process.user.umask = umask
    })
    // the commands of the last stage make their own containers from our parts: they say nothing about these
    const [first, ...others] = ordered.stages.filter(({ title }) => title !== COMMANDS)
    // for the others, the checks are only about their process
    const inside = bounded.parts.filter(part => !isPart(part, 'network') && !isPart(part, 'limits'))
    return {
      ...ordered,
      stages: [firstStage(certain(first), ordered, latest), ...others, otherStage(umask, inside, latest)],
    }
  },

  tasks: [
    {
      id: 'order',
      title: 'Put the parts in order',
      writes: 'parts',
      refused: /in `parts`/,
      text: '`parts` lists what you have written so far, and `hardening`, which is still empty. The child makes the calls of one part after the other, so each part must find what it needs. The image is a stack of layers: `layers` mounts it, and `root` pivots into it. After that, the child can reach no path of the host. Calls after `execve` are never made.',
      checks: ['all-reached', 'namespaces', 'layers', 'limits', 'network'],
      hints: [
        'For each part, ask: which other part must come before it, and which part makes it impossible?',
        '`layers` mounts what `root` pivots into. `hardening` takes away rights that `namespaces`, `layers` and `root` need. `limits` and `network` work on the host while the child waits, so they can be anywhere. `namespaces` usually comes first: without a user namespace, earlier mounts would appear on the host too, and `pivot_root` would be refused. With one, as here, the kernel separates the mounts itself.',
        '`[namespaces, layers, root, limits, network, hardening, program]`',
      ],
    },
    {
      id: 'capabilities',
      title: 'Drop what root does not need',
      text: "The power of root is divided into about forty capabilities. `spec.process.capabilities` lists, for each set, the capabilities that may stay. Another container has other lists, and a missing list is empty. Drop all others from the bounding set, one by one; `/proc/sys/kernel/cap_last_cap` has the number of the last capability. Then set the process's own sets with one `capset`. After that the child has lost rights that other calls need. `capabilityMask(names)` from 'minilab' makes a `bigint` with bit n for capability n; `capHeader()` and `capData(effective, permitted, inheritable)` make the two structs for `capset` from such masks.",
      checks: ['capabilities', 'bounding-set', 'asked-capabilities'],
      hints: [
        'capabilities(7) says what root holds after an `execve`. Which set limits that?',
        '`prctl` with `PR_CAPBSET_DROP` and the number, once for each; it needs CAP_SETPCAP. Then one `capset`.',
        'For each `cap` up to the last: `if (!((mask >> BigInt(cap)) & 1n)) tape.prctl(PR_CAPBSET_DROP, cap, 0, 0, 0)`. Then `tape.capset(capHeader(), capData(…))`.',
      ],
    },
    {
      id: 'user',
      title: 'Become the user that was asked for',
      text: '`spec.process.user` says which user the program runs as: `uid` and `gid`, and, if given, the `umask` and further groups, `additionalGids`. If no groups are given, the process is in none: it must leave our groups. `minilab run -u` needs this. Only root may choose another user and other groups, so think about what comes last. The calls for user and groups go between the two halves of task 2: after the drops from the bounding set, and before `capset`. In a user namespace with only one id, the kernel refuses `setgroups`: that must not end the child.',
      checks: ['umask', 'own-user'],
      hints: [
        'After which of these calls is the child no longer root?',
        '`umask`; `setgroups`, as an attempt; `setresgid`; `setresuid` last. The drops from the bounding set come before them, `capset` comes after them.',
        '`tape.attempt.setgroups(groups.length, groups)`, `tape.setresgid(gid, gid, gid)`, `tape.setresuid(uid, uid, uid)`.',
      ],
    },
    {
      id: 'no-new-privs',
      title: 'Make setuid programs harmless',
      text: 'A setuid program in the image runs with the rights of its owner, whichever user starts it. If `spec.process.noNewPrivileges` is set, take that away from the process and everything that it will ever start. If it is not set, leave the process as it is: a container may need `sudo`.',
      checks: ['no-new-privileges', 'privileges-kept', 'privileges-taken'],
      hints: [
        'It is a property of the process. Children inherit it, and no process can take it back.',
        '`prctl` with `PR_SET_NO_NEW_PRIVS`; the kernel wants 1 and three zeros.',
        '`if (noNewPrivileges) tape.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)`',
      ],
    },
    {
      id: 'seccomp',
      title: 'Let the kernel ask a filter first',
      text: "Some system calls need no capability, but a container should still not make them. One of them makes a user namespace, in which the process has all capabilities again. `spec.linux.seccomp` lists the allowed calls. The kernel does not read such lists: it runs a small program before each call. `compileSeccomp(profile)` from 'minilab' makes that program. Install it where the kernel accepts it. Not every container has a profile. (A container that has a profile but does not ask for no_new_privs is for the challenge.)",
      checks: ['seccomp', 'attempts-refused', 'by-profile', 'no-profile', 'profile-of-user'],
      hints: [
        'seccomp(2) tells which processes may install a filter. From when does your process meet which of the two conditions?',
        '`seccomp` with `SECCOMP_SET_MODE_FILTER`, after no_new_privs is set. Calls after it are already filtered, so make it the last call.',
        '`if (spec.linux.seccomp) tape.seccomp(SECCOMP_SET_MODE_FILTER, 0, compileSeccomp(spec.linux.seccomp))`',
      ],
    },
  ],

  challenge:
    'Run something real in it: `minilab run --mine -it -p 8080:80 default sh`, `--memory 64m`, `-v`, `-d` and then `minilab exec`. What does your runtime not do yet that ours does? `spec.process.rlimits` and `/dev/shm` would be a beginning. And a container may have a profile but not ask for no_new_privs: where must its filter be installed?',

  harmless: /^prctl\(PR_SET_(KEEPCAPS|NAME|DUMPABLE|PDEATHSIG)\b/,
  reasons: [
    {
      call: 'prctl(PR_CAPBSET_DROP',
      task: 'capabilities',
      why: 'The bounding set limits what an execve can give; root gets all of it.',
    },
    {
      call: 'capset(',
      task: 'capabilities',
      why: 'The process still holds what it dropped from the bounding set until the next execve.',
    },
    { call: 'umask(', task: 'user', why: 'The child has our umask until it sets another.' },
    { call: 'setgroups(', task: 'user', why: 'Otherwise the child stays in our groups.' },
    { call: 'setresgid(', task: 'user', why: 'Only root may choose a group, so it comes before the user.' },
    {
      call: 'setresuid(',
      task: 'user',
      why: 'This sets the real and the effective user: if one of them stayed root, the process could change back. `execve` makes the effective user the saved one, too.',
    },
    {
      call: 'prctl(PR_SET_NO_NEW_PRIVS',
      task: 'no-new-privs',
      why: 'Also, the kernel accepts a filter only from a process that can gain no privileges, or that has CAP_SYS_ADMIN.',
    },
    {
      call: 'seccomp(',
      task: 'seccomp',
      why: 'It comes last, because the filter also applies to all later calls of the child.',
    },
  ],
}
