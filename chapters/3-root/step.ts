import { namespaces } from '../../lib/container/parts/namespaces.ts'
import { program } from '../../lib/container/parts/process.ts'
import { root } from '../../lib/container/parts/root.ts'
import { chapter } from '../../lib/guide/chapters.ts'
import type { Step } from '../../lib/guide/step.ts'
import type { Replayed } from '../../lib/kernel/tape/tape.ts'
import { breakOutOfContainer, chrootAndOut, lookUnderneath } from './break-out.ts'
import { checks } from './checks.ts'
import { rootOf } from './root-checks.ts'

/** Which directory "/" was in each experiment, as device:inode. */
export interface Roots {
  host: string
  inJail: string
  afterBreakOut: string
  afterSecondBreakOut: string
  underneath: string
  /** the call of the second break-out that was refused */
  refused: string
}

/** The calls that mask a path of /proc or /sys, or make it read-only. */
const isCover = ({ part, call, args }: Replayed) =>
  part === root.name && call === 'mount' && /, "\/\.\.\/(proc|sys)\//.test(args)

/** The calls that make the image the root and unmount the old root. */
const isPivot = ({ call, args }: Replayed) =>
  ['chdir', 'pivot_root'].includes(call) ||
  (call === 'umount2' && args.startsWith('"."')) ||
  (call === 'mount' && !args.includes('"/../') && !args.startsWith('"tmpfs", "/"'))

/** The calls that make /proc, /sys and /dev, and attach them. */
const isTree = (call: Replayed) => call.part === root.name && !isPivot(call) && !isCover(call)

export const step: Step<Roots> = {
  ...chapter('root'),
  parts: [namespaces, root, program],
  teaches: ['root'],
  matters: ({ call, args }) =>
    call === 'pivot_root' ||
    (call === 'umount2' && args.startsWith('"."')) ||
    /^"(proc|sysfs|devpts)", /.test(args) ||
    (call === 'mount' && args.startsWith('NULL') && args.includes('/../proc/sys"')),
  expected: {
    EEXIST: 'the image has this directory already; that is not an error',
    ENOENT: 'this kernel has no such file, so there is nothing to mask',
  },
  scene: () => ({
    host: rootOf('/'),
    inJail: '',
    afterBreakOut: '',
    afterSecondBreakOut: '',
    underneath: '',
    refused: '',
  }),

  spec(spec) {
    spec.root.readonly = true // the image is shared; a writable layer comes with step 5
  },

  stages: [
    {
      title: 'chroot: one pointer',
      manual: ['chroot(2)', 'path_resolution(7)'],
      source: { file: 'chapters/3-root/break-out.ts', symbol: 'breakOut' },
      predict: {
        question: 'Where is its “/” after these calls?',
        choices: ['the jail', 'the second jail', "the host's root"],
        answer: checks.escape.where,
        why: "The kernel stops “..” only at the process's own root. That root had moved below the working directory, so nothing stopped it.",
      },
      act: async experiment => chrootAndOut(experiment),
      checks: [checks.jail, checks.escape],
    },
    {
      title: 'pivot_root: nothing left to walk to',
      manual: ['pivot_root(2)', 'mount_namespaces(7)'],
      source: { file: 'lib/container/parts/root.ts', symbol: 'root' },
      act: async experiment => void (await experiment.begin()),
      checks: [checks.ownRoot, checks.oldRootGone, checks.propagation],
    },
    {
      title: 'The same break-out again',
      manual: ['setns(2)', 'path_resolution(7)'],
      predict: {
        question: 'Which of these calls is refused this time?',
        choices: ['the second chroot', 'chdir("..")', 'none of them'],
        answer: ({ refused }) =>
          refused === 'chroot' ? 'the second chroot' : refused === 'chdir' ? 'chdir("..")' : 'none of them',
        why: "The kernel allows them all, but they lead nowhere: “..” also stops at the root of the mount namespace, and above the container's root there is no mount left.",
      },
      async act(experiment) {
        await breakOutOfContainer(experiment)
        await lookUnderneath(experiment)
      },
      checks: [checks.held, checks.underneath],
    },
    {
      title: 'What a Unix program expects: /proc, /dev, /sys',
      manual: ['proc(5)', 'null(4)', 'pts(4)', 'sysfs(5)'],
      source: { file: 'lib/container/rootfs/kernel-trees.ts', symbol: 'makeKernelTrees' },
      shows: isTree,
      checks: [checks.proc, checks.devices, checks.terminals, checks.links],
    },
    {
      title: 'What the container must not see',
      manual: ['mount(2)', 'proc(5)'],
      source: { file: 'lib/container/rootfs/cover.ts', symbol: 'cover' },
      shows: isCover,
      checks: [checks.masked, checks.readonly, checks.readonlyRoot],
    },
  ],

  recap:
    'You have a process whose root is an image, and it cannot get out: not because a call is forbidden, but because no path leads from its mounts to yours. It can still use all memory and every CPU.',
  next: '`minilab step 4` puts it into a cgroup and gives it limits.',
}
