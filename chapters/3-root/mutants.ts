import {
  callsOf,
  changeAct,
  changeCalls,
  changeSpec,
  type Mutant,
  withoutCalls,
} from '../../lib/guide/mutant.ts'
import type { Step } from '../../lib/guide/step.ts'
import {
  MS_BIND,
  MS_MOVE,
  MS_RDONLY,
  MS_REC,
  MS_REMOUNT,
  MS_SHARED,
} from '../../lib/kernel/syscalls/constants.ts'
import type { Op, Tape } from '../../lib/kernel/tape/tape.ts'
import { breakOut, chrootAndOut } from './break-out.ts'
import type { Roots } from './step.ts'

const CHROOT = 'chroot: one pointer'

/** Wrong ways to build this chapter's part. */
export const mutants: Mutant<Roots>[] = [
  {
    name: 'chdir-for-chroot',
    misconception: 'entering a directory was thought to make it the root',
    breaks: { 'chroot-jail': 'chroot was never called' },
    change: step =>
      changeAct(step, CHROOT, experiment =>
        chrootAndOut(experiment, { into: (tape, jail) => void tape.chdir(jail) }),
      ),
  },
  {
    name: 'chdir-to-second-jail',
    misconception: 'the break-out followed the usual advice to call chdir with chroot',
    breaks: { 'chroot-escape': 'moved into the second jail' },
    change: step =>
      changeAct(step, CHROOT, experiment =>
        chrootAndOut(experiment, {
          out(tape, second) {
            tape.chdir(second)
            breakOut(tape, '.')
          },
        }),
      ),
  },
  {
    name: 'chroot',
    misconception: 'chroot was used in place of pivot_root',
    breaks: {
      'own-root': 'chroot was used in place of pivot_root',
      'old-root-gone': 'chroot was used',
      'pivot-holds': 'chroot in place of pivot_root',
      'nothing-underneath': 'chroot in place of pivot_root leaves',
    },
    change: step =>
      changeCalls(step, 'root', ops => keepOldRoot(inPlaceOfPivot(ops, tape => tape.chroot('.')))),
  },
  {
    name: 'moved-over',
    misconception:
      'the new root was moved over the old one (MS_MOVE) and entered with chroot, which only covers the old one',
    breaks: { 'nothing-underneath': 'lies under its root: a mount on “/” (MS_MOVE) only covers it' },
    change: step => changeCalls(step, 'root', ops => keepOldRoot(inPlaceOfPivot(ops, moveOver))),
  },
  {
    name: 'no-pivot',
    misconception: 'the new root was prepared, but the process never moved into it',
    breaks: {
      'own-root': 'pivot_root was left out',
      'old-root-gone': 'pivot_root was left out',
      'pivot-holds': 'pivot_root was left out',
      'nothing-underneath': 'pivot_root was left out',
    },
    change: step => changeCalls(step, 'root', ops => keepOldRoot(inPlaceOfPivot(ops, () => {}))),
  },
  {
    name: 'old-root-kept',
    misconception: 'pivot_root was thought to remove the old root, so it was never unmounted',
    breaks: {
      'old-root-gone': 'umount2(".", MNT_DETACH) was forgotten',
      'pivot-holds': 'the old root was never unmounted',
    },
    change: step => changeCalls(step, 'root', keepOldRoot),
  },
  {
    name: 'no-private',
    misconception: 'a new mount namespace was thought to be separate: private propagation was forgotten',
    breaks: { 'private-mounts': 'MS_REC|MS_PRIVATE, NULL) was forgotten' },
    change: step => withoutCalls(step, 'namespaces', ({ call }) => call === 'mount'),
  },
  {
    name: 'shared',
    misconception: 'its mounts were made shared, as they are on most machines',
    breaks: { 'private-mounts': 'made shared (MS_SHARED)' },
    change: step =>
      changeCalls(step, 'root', ops => [
        ...ops,
        ...callsOf('root', tape => tape.mount(null, '/', null, MS_REC | MS_SHARED, null)),
      ]),
  },
  {
    name: 'host-proc',
    misconception: "the host's /proc was bind-mounted, and thought to show only what its reader may see",
    breaks: { 'own-proc': "it is the host's /proc, bind-mounted" },
    change: step => bound(step, '/proc'),
  },
  {
    name: 'no-proc',
    misconception: '/proc was thought to be part of every image',
    breaks: { 'own-proc': 'the mount was left out', 'readonly-paths': 'there is no /proc' },
    change: step =>
      changeSpec(step, spec => void (spec.mounts = spec.mounts.filter(m => m.destination !== '/proc'))),
  },
  {
    name: 'host-dev',
    misconception: "the host's whole /dev was bind-mounted, because it has everything",
    breaks: { devices: 'whole /dev was bind-mounted', 'own-terminals': "the host's terminals, bind-mounted" },
    change: step =>
      changeSpec(bound(step, '/dev'), spec => {
        spec.mounts = spec.mounts.filter(m => !m.destination.startsWith('/dev/'))
      }),
  },
  {
    name: 'plain-files',
    misconception: 'files for the devices were made, but nothing was mounted on them',
    breaks: { devices: 'Plain files were left' },
    change: step =>
      withoutCalls(
        step,
        'root',
        ({ call, args }) => call === 'move_mount' && /^\/\.\.\/dev\/\w+$/.test(String(args[3])),
      ),
  },
  {
    name: 'no-tty',
    misconception: 'a container without a terminal was thought to need no /dev/tty',
    breaks: { devices: 'tty (missing)' },
    change: step => withoutCalls(step, 'root', ({ args }) => args.includes('/../dev/tty')),
  },
  {
    name: 'host-terminals',
    misconception: "the host's /dev/pts was bind-mounted, and thought to be the same everywhere",
    breaks: { 'own-terminals': "the host's terminals, bind-mounted" },
    change: step => bound(step, '/dev/pts'),
  },
  {
    name: 'terminals-nodev',
    misconception: 'nodev was thought to do no harm where there is no disk',
    breaks: { 'own-terminals': 'devpts must be mounted without MS_NODEV' },
    change: step => changeTerminals(step, options => [...options, 'nodev']),
  },
  {
    name: 'no-ptmxmode',
    misconception: 'ptmx was thought to have the right mode by default',
    breaks: { 'own-terminals': 'mount devpts with the option ptmxmode=0666' },
    change: step =>
      changeTerminals(step, options => options.filter(option => !option.startsWith('ptmxmode'))),
  },
  {
    name: 'no-links',
    misconception: '/dev was thought to hold only devices: its links were left out',
    breaks: { 'fd-links': 'symbolic links were left out', 'own-terminals': 'does not lead to pts/ptmx' },
    change: step => withoutCalls(step, 'root', ({ call }) => call === 'symlinkat'),
  },
  {
    name: 'covered-early',
    misconception: 'paths of /proc and /sys were masked before the new ones were mounted over them',
    breaks: {
      masked: 'before the new /proc was mounted over',
      'readonly-paths': 'before the new /proc was mounted over',
    },
    change: step =>
      changeCalls(step, 'root', ops => {
        const covers = ({ call, args }: Op) =>
          call === 'mount' && /^\/\.\.\/(proc|sys)\/./.test(String(args[1]))
        const rest = ops.filter(op => !covers(op))
        const proc = rest.findIndex(({ call, args }) => call === 'mount' && args[2] === 'proc')
        return [...rest.slice(0, proc), ...ops.filter(covers), ...rest.slice(proc)]
      }),
  },
  {
    name: 'writable-cover',
    misconception: 'an empty directory was thought to need no protection',
    breaks: { masked: 'mount the tmpfs that masks a directory read-only, with MS_RDONLY' },
    change: step =>
      changeCalls(step, 'root', ops =>
        ops.map(op =>
          op.args[2] === 'tmpfs' ? { ...op, args: op.args.with(3, flags(op) & ~MS_RDONLY) } : op,
        ),
      ),
  },
  {
    name: 'one-call',
    misconception: 'a read-only bind mount was thought to be one call, with MS_BIND|MS_RDONLY',
    breaks: {
      'readonly-paths': 'it takes a second call with MS_REMOUNT',
      'readonly-root': 'never remounted',
    },
    change: step =>
      changeCalls(step, 'root', ops =>
        ops
          .filter(op => !(flags(op) & MS_REMOUNT))
          .map(op => (isOnItself(op) ? { ...op, args: op.args.with(3, flags(op) | MS_RDONLY) } : op)),
      ),
  },
  {
    name: 'writable-root',
    misconception: 'an image was thought to be safe from its containers: it stayed writable',
    breaks: { 'readonly-root': 'never remounted' },
    change: step => changeSpec(step, spec => void (spec.root.readonly = false)),
  },
]

const inPlaceOfPivot = (ops: readonly Op[], record: (tape: Tape) => void) =>
  ops.flatMap(op => (op.call === 'pivot_root' ? callsOf('root', record) : [op]))

const keepOldRoot = (ops: readonly Op[]) =>
  ops.filter(({ call, args }) => !(call === 'umount2' && args[0] === '.'))

/** As switch_root(8) does for the kernel's first root, which pivot_root cannot change. */
function moveOver(tape: Tape): void {
  tape.mount('.', '/', null, MS_MOVE, null)
  tape.chroot('.')
}

/** The step with the host's directory bind-mounted instead of the container's own file system; mounted last, as volumes are. */
function bound(step: Step<Roots>, path: string): Step<Roots> {
  return changeSpec(step, spec => {
    const others = spec.mounts.filter(({ destination }) => destination !== path)
    spec.mounts = [...others, { destination: path, type: 'bind', source: path, options: ['rbind'] }]
  })
}

function changeTerminals(step: Step<Roots>, change: (options: string[]) => string[]): Step<Roots> {
  return changeSpec(step, spec => {
    for (const mount of spec.mounts) if (mount.type === 'devpts') mount.options = change(mount.options ?? [])
  })
}

/** The flags of a mount; 0 for any other call. */
const flags = ({ call, args }: Op) => (call === 'mount' ? Number(args[3]) : 0)

/** A directory bound on itself, to be made read-only by the next call. */
const isOnItself = (op: Op) => (flags(op) & MS_BIND) !== 0 && op.args[0] === op.args[1]
