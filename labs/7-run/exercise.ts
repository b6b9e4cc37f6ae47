import { COMMANDS, type Ran } from '../../chapters/7-run/commands.ts'
import type { Part } from '../../lib/container/part.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import { recordStep } from '../../lib/guide/leave-out.ts'
import { changePart } from '../../lib/guide/mutant.ts'
import type { Stage, Step } from '../../lib/guide/step.ts'
import { untilConnected } from '../../lib/labs/cable.ts'
import type { Exercise } from '../../lib/labs/exercise.ts'
import { WrittenError } from '../../lib/labs/problem.ts'
import { anotherUser } from './user.ts'

/** The parts in the order of the learner's list; those of labs that are not passed yet are ours. */
function inOrder(step: Step<Ran>, list: Part[]): Part[] {
  const missing = step.parts.filter(({ name }) => !list.some(part => part.name === name))
  if (missing.length > 0)
    throw new WrittenError({
      what: `in \`parts\` there is no ${missing.map(({ name }) => name).join(', no ')}`,
      remedy: 'list all seven: a container needs each of them',
    })
  return list.map(part => step.parts.find(({ name }) => name === part.name) ?? part)
}

/** The step's container, and which parts it never came to. */
function begun(stage: Stage<Ran>, step: Step<Ran>): Stage<Ran> {
  let unreached: string[] = []
  let last = ''
  return {
    ...stage,
    async act(lab) {
      await stage.act?.(lab)
      const { ops } = await recordStep(step, lab.options)
      last = lab.tape.at(-1)?.call ?? ''
      unreached = [...new Set(ops.slice(lab.tape.length).map(({ part }) => part))].filter(
        part => part !== 'process',
      )
    },
    checks: [
      {
        id: 'all-reached',
        claim: 'the child came to the calls of every part: the program’s `execve` is the last one',
        look: () =>
          finding(
            unreached.length === 0,
            seen(
              'the tape, as it was played',
              null,
              `ends with ${last}, before ${unreached.join(' ') || 'nothing'}`,
            ),
            `execve puts the program in the child’s place and does not return, so ${unreached.join(', ')} had no effect. Likeliest: the program does not stand last in \`parts\`.`,
          ),
      },
      ...(stage.checks ?? []),
    ],
  }
}

export const exercise: Exercise<Ran> = {
  number: 7,
  name: 'run',
  title: 'All parts together, and what root may still do',
  goal: 'You put your parts together and take away from the container’s root what it does not need. In the end `minilab run --mine` starts images with a runtime that you have written.',
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
    const ordered = changePart({ ...step, parts: inOrder(step, parts as Part[]) }, 'network', untilConnected)
    // the commands of the last stage make containers of their own, with our parts: they have nothing to say about these
    const [first, ...others] = ordered.stages.filter(({ title }) => title !== COMMANDS)
    return { ...ordered, stages: [begun(first!, ordered), ...others, anotherUser()] }
  },

  tasks: [
    {
      id: 'order',
      title: 'Put the parts in order',
      text: '`parts` lists what you have written so far, and `hardening`, which is still empty. The child makes the calls of one part after the other, so each part must find what it needs: the image is a stack of layers, and `root` pivots into that stack. No path of the host can be reached after that. What comes after `execve` never happens.',
      checks: ['all-reached', 'namespaces', 'layers', 'limits', 'network'],
      hints: [
        'Go through the parts and ask of each: which other one has to be over before this one can work, and which one makes it impossible?',
        'Namespaces come first. `layers` mounts what `root` pivots into. `hardening` takes away rights that mounts need. `limits` and `network` work on the host while the child waits, so their places are free.',
        '`[namespaces, layers, root, limits, network, hardening, program]`',
      ],
    },
    {
      id: 'capabilities',
      title: 'Drop what root does not need',
      text: "The power of root is divided into some forty capabilities. `spec.process.capabilities` lists by set those that may stay. Drop all others from the bounding set, one by one; `/proc/sys/kernel/cap_last_cap` says which number is the last. Then put the sets of the process itself right. `capabilityMask(names)` from 'minilab' makes a `bigint` with bit n for capability n; `capHeader()` and `capData(effective, permitted, inheritable)` make the two structs for `capset` from such masks.",
      checks: ['capabilities', 'bounding-set'],
      hints: [
        'capabilities(7) says what root holds after an `execve`. Which set caps that?',
        '`prctl` with `PR_CAPBSET_DROP` and the number, once for each; it needs CAP_SETPCAP. Then one `capset`.',
        'For each `cap` up to the last one: `if (!((mask >> BigInt(cap)) & 1n)) tape.prctl(PR_CAPBSET_DROP, cap, 0, 0, 0)`. Then `tape.capset(capHeader(), capData(…))`.',
      ],
    },
    {
      id: 'user',
      title: 'Become the user that was asked for',
      text: '`spec.process.user` says who the program shall be: `uid` and `gid`, and where they are given the `umask` and further groups, `additionalGids`. This is what `minilab run -u` needs. It is root who chooses, so think about what comes last. In a user namespace with one id `setgroups` is refused: that must not end the child.',
      checks: ['umask', 'own-user'],
      hints: [
        'After which of these calls are you not root any more?',
        '`umask`; `setgroups`, as an attempt; `setresgid`; `setresuid` last. The bounding set has to be done by then.',
        '`tape.attempt.setgroups(groups.length, groups)`, `tape.setresgid(gid, gid, gid)`, `tape.setresuid(uid, uid, uid)`.',
      ],
    },
    {
      id: 'no-new-privs',
      title: 'Make setuid programs harmless',
      text: 'A setuid program in the image gives whoever starts it the rights of its owner. Where `spec.process.noNewPrivileges` is set, take that away from the process and all that it will ever start.',
      checks: ['no-new-privileges'],
      hints: [
        'It is a property of the process, which is inherited, and which nobody can take back.',
        '`prctl` with `PR_SET_NO_NEW_PRIVS`; the kernel wants 1 and three zeros.',
        '`if (noNewPrivileges) tape.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)`',
      ],
    },
    {
      id: 'seccomp',
      title: 'Let the kernel ask a filter first',
      text: "Some system calls need no capability, and are still nothing for a container: making a user namespace, for one, in which everybody has all capabilities again. `spec.linux.seccomp` lists what it may call. The kernel reads no such lists: it runs a small program before each call. `compileSeccomp(profile)` from 'minilab' makes that program. Install it, where there is a profile, at a place where the kernel takes it.",
      checks: ['seccomp', 'attempts-refused'],
      hints: [
        'seccomp(2) tells who may install a filter. From when on does your process fulfil which of the two conditions?',
        '`seccomp` with `SECCOMP_SET_MODE_FILTER`, after no_new_privs is set. What comes after it is filtered already, so let it be the last call.',
        '`if (spec.linux.seccomp) tape.seccomp(SECCOMP_SET_MODE_FILTER, 0, compileSeccomp(spec.linux.seccomp))`',
      ],
    },
  ],

  challenge:
    'Run something real in it: `minilab run --mine -it -p 8080:80 default sh`, `--memory 64m`, `-v`, `-d` and then `minilab exec`. What does your runtime not do yet that ours does? `spec.process.rlimits` and `/dev/shm` would be a beginning.',

  reasons: [
    {
      call: 'prctl(PR_CAPBSET_DROP',
      task: 'capabilities',
      why: 'The bounding set caps what an execve can give; root gets all of it there.',
    },
    {
      call: 'capset(',
      task: 'capabilities',
      why: 'What is dropped from the bounding set is still held until the next execve.',
    },
    { call: 'umask(', task: 'user', why: 'The child has our umask until it is told another.' },
    { call: 'setgroups(', task: 'user', why: 'The groups that we are in stay with the child otherwise.' },
    { call: 'setresgid(', task: 'user', why: 'Only root may choose a group: so it comes before the user.' },
    {
      call: 'setresuid(',
      task: 'user',
      why: 'The real, the effective and the saved user: with one of them left, it could change back.',
    },
    {
      call: 'prctl(PR_SET_NO_NEW_PRIVS',
      task: 'no-new-privs',
      why: 'Besides, the kernel takes a filter only from a process that can gain nothing by it, or that has CAP_SYS_ADMIN.',
    },
    {
      call: 'seccomp(',
      task: 'seccomp',
      why: 'It comes last, because all later calls of the child are asked of the filter, too.',
    },
  ],
}
