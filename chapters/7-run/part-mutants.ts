import { join } from 'node:path'
import { certain } from '../../lib/common/certain.ts'
import { shareHostNetwork } from '../../lib/container/net/network-plan.ts'
import type { Plan } from '../../lib/container/part.ts'
import { defaultProfile } from '../../lib/container/seccomp/seccomp-default.ts'
import { withoutNamespace } from '../../lib/guide/leave-out.ts'
import {
  callsOf,
  changeAct,
  changeCalls,
  changePart,
  changeSpec,
  type Mutant,
  withoutCalls,
  withoutPart,
} from '../../lib/guide/mutant.ts'
import type { Step } from '../../lib/guide/step.ts'
import { plannedLayers } from '../../lib/image/store.ts'
import {
  AT_FDCWD,
  MNT_DETACH,
  O_DIRECTORY,
  O_RDONLY,
  PR_CAPBSET_DROP,
} from '../../lib/kernel/syscalls/constants.ts'
import { now } from '../../lib/kernel/syscalls/now.ts'
import type { Op } from '../../lib/kernel/tape/tape.ts'
import { COMMANDS, type Ran } from './commands.ts'

/** Wrong ways to build the container. */

const dropsFromBoundingSet = ({ call, args }: Op) => call === 'prctl' && args[0] === PR_CAPBSET_DROP

const wrongParts: Mutant<Ran>[] = [
  {
    name: 'capabilities-kept',
    misconception:
      'root in a user namespace was thought to be powerless, so its capabilities were left as they are',
    breaks: {
      capabilities: 'capset was never called',
      'bounding-set': 'prctl(PR_CAPBSET_DROP) was never called',
    },
    change: step => withoutCalls(step, 'hardening', op => op.call === 'capset' || dropsFromBoundingSet(op)),
  },
  {
    name: 'capset-alone',
    misconception: 'capset alone was thought to take capabilities away from root, even across execve',
    breaks: {
      capabilities: 'capset was called in vain',
      'bounding-set': 'prctl(PR_CAPBSET_DROP) was never called',
      'no-new-privileges': 'was left out',
    },
    change: step => withoutCalls(withoutNoNewPrivileges(step), 'hardening', dropsFromBoundingSet),
  },
  {
    name: 'bounding-set-kept',
    misconception: 'capabilities that are gone are gone for good, so the bounding set was left as it is',
    breaks: { 'bounding-set': 'prctl(PR_CAPBSET_DROP) was never called' },
    change: step => withoutCalls(step, 'hardening', dropsFromBoundingSet),
  },
  {
    name: 'no-new-privs-left-out',
    misconception: 'setuid programs were thought to be harmless once capabilities are dropped',
    breaks: { 'no-new-privileges': 'prctl(PR_SET_NO_NEW_PRIVS, 1) was left out' },
    change: withoutNoNewPrivileges,
  },
  {
    name: 'sys-admin-added',
    misconception: 'CAP_SYS_ADMIN was added, because some program inside wanted to mount something',
    breaks: {
      capabilities: 'Besides: CAP_SYS_ADMIN',
      'bounding-set': 'Besides: CAP_SYS_ADMIN',
      'attempts-refused': 'CAP_SYS_ADMIN was kept',
    },
    change: step =>
      changeSpec(step, ({ process: { capabilities = {} }, linux }) => {
        for (const set of Object.values(capabilities)) set.push('CAP_SYS_ADMIN')
        linux.seccomp = defaultProfile(capabilities.effective ?? [])
      }),
  },
  {
    name: 'no-filter',
    misconception: 'dropped capabilities were thought to be enough, and no seccomp filter installed',
    breaks: { seccomp: 'was never called', 'attempts-refused': 'no filter was installed' },
    change: step => changeSpec(step, ({ linux }) => delete linux.seccomp),
  },
  {
    name: 'filter-lets-all-pass',
    misconception: 'a seccomp filter was installed that has no rules, and allows everything without a rule',
    breaks: { 'attempts-refused': 'it lets every call through' },
    change: step =>
      changeSpec(step, ({ linux }) => (linux.seccomp = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [] })),
  },
  {
    name: 'proc-sys-writable',
    misconception:
      'a user namespace was thought to protect the files of /proc/sys, and they were left writable',
    breaks: { 'attempts-refused': '/proc/sys was not remounted read-only' },
    change: step => changeSpec(step, ({ linux }) => (linux.readonlyPaths = [])),
    rootOnly: "the files of /proc/sys belong to the machine's root, and no one else can write to them",
  },
  {
    name: 'descriptor-left-open',
    misconception: 'a folder of the host was opened without O_CLOEXEC, and not closed before execve',
    breaks: { 'no-descriptor-of-ours': 'close_range was left out' },
    change: step =>
      withoutCalls(
        changeCalls(step, 'namespaces', ops => [
          ...callsOf('namespaces', tape => tape.openat(AT_FDCWD, '/', O_RDONLY | O_DIRECTORY, 0)),
          ...ops,
        ]),
        'process',
        ({ call }) => call === 'close_range',
      ),
  },
  {
    name: 'no-uts-namespace',
    misconception: 'a container without a host name was thought to need no uts namespace',
    breaks: { namespaces: 'Shared with the host: uts.' },
    change: step => withoutNamespace(step, 'uts'),
  },
  {
    name: 'no-network-namespace',
    misconception: "CLONE_NEWNET was left out, so the container has the host's interfaces",
    breaks: {
      namespaces: 'Shared with the host: net.',
      network: 'CLONE_NEWNET is missing',
      isolated: 'CLONE_NEWNET is missing',
    },
    change: step => changeSpec(step, shareHostNetwork),
  },
  {
    name: 'no-network',
    misconception: 'a network namespace was thought to come with its interfaces',
    breaks: { network: 'the network part is missing', isolated: 'the network part is missing' },
    change: step => withoutPart(step, 'network'),
  },
  {
    name: 'not-isolated',
    misconception: "containers on one bridge were thought to be out of each other's reach",
    breaks: { isolated: 'the port was never isolated' },
    change: step => changePlan(step, ({ network }) => network && (network.isolated = false)),
  },
  {
    name: 'no-layer-of-its-own',
    misconception: 'the image itself became the root, so all its containers share what they write',
    breaks: { layers: 'the layers part is missing' },
    change: step =>
      changePlan(step, plan => {
        const [image = ''] = plannedLayers('default')
        delete plan.layers
        Object.assign(plan, { rootfs: image })
        plan.spec.root = { path: image, readonly: true } // here it is shared with other steps
      }),
  },
  {
    name: 'never-joined',
    misconception: 'the limit was written, but the process was never moved into that cgroup',
    breaks: { limits: 'its pid was never written to cgroup.procs' },
    change: step => changePart(step, 'limits', right => ({ ...right, attach() {} })),
  },
  {
    name: 'limit-not-written',
    misconception: 'having its own cgroup was thought to be a limit',
    breaks: { limits: 'our limit was written to another cgroup, or never' },
    change: step => changeSpec(step, ({ linux }) => (linux.resources = {})),
  },
]

/** This mutant's overlay has to be unmounted before the commands of the last stage. */
const overlayOnHost: Mutant<Ran> = {
  name: 'overlay-on-host',
  misconception: 'the overlay was mounted on the host, before the container was there',
  breaks: { layers: 'it was mounted before the clone' },
  change: step =>
    changeAct(
      changePart(step, 'layers', right => ({
        ...right,
        async prepare(container) {
          await right.prepare?.(container)
          const { lower, folder } = certain(container.layers)
          const options = `lowerdir=${lower.join(':')},upperdir=${join(folder, 'upper')},workdir=${join(folder, 'work')},userxattr`
          now.mount('overlay', container.rootfs, 'overlay', 0, options)
          delete container.layers
        },
        inside() {},
      })),
      COMMANDS,
      async (experiment, right) => {
        now.umount2(experiment.box?.container.rootfs ?? '', MNT_DETACH)
        await right(experiment)
      },
    ),
}

/** The commands of the last stage make their own containers, which are built right: they say nothing about these mutants. */
const withoutCommands = wrongParts.map((mutant): Mutant<Ran> => ({
  ...mutant,
  change(step) {
    const changed = mutant.change(step)
    return { ...changed, stages: changed.stages.filter(({ title }) => title !== COMMANDS) }
  },
}))

export const partMutants = [...withoutCommands, overlayOnHost]

/** seccomp(2): the filter then goes first, with CAP_SYS_ADMIN, and the hardening part puts it there. */
function withoutNoNewPrivileges(step: Step<Ran>): Step<Ran> {
  return changeSpec(step, ({ process }) => (process.noNewPrivileges = false))
}

function changePlan(step: Step<Ran>, change: (plan: Plan) => void): Step<Ran> {
  return {
    ...step,
    async plan(plan, experiment) {
      await step.plan?.(plan, experiment)
      change(plan)
    },
  }
}
