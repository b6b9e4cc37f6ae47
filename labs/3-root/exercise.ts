import type { Roots } from '../../chapters/3-root/step.ts'
import { chapter } from '../../lib/guide/chapters.ts'
import { changeAct, changeSpec } from '../../lib/guide/mutant.ts'
import type { Stage } from '../../lib/guide/step.ts'
import type { Exercise } from '../../lib/labs/exercise.ts'
import type { Tape } from '../../lib/kernel/tape/tape.ts'
import { jailStage, outAgain } from './jail.ts'
import { moreMasks } from './masks.ts'
import { ownSys } from './sys.ts'

type Go = (tape: Tape, directory: string) => void

const CHROOT = 'chroot: one pointer'
const COVERED = 'What the container must not see'

export const exercise: Exercise<Roots> = {
  ...chapter('root'),
  goal: 'You put a process into a directory, walk out of it, and then remove the way out. Afterwards you can say why containers use `pivot_root` and not `chroot`.',
  manPages: ['chroot(2)', 'pivot_root(2)', 'mount(2)', 'mount_namespaces(7)', 'open_tree(2)', 'proc(5)'],
  image: 'as the root',
  exports: { enterJail: 'function', breakOut: 'function', root: { part: 'root' } },
  build(step, { enterJail, breakOut }) {
    const out = outAgain(enterJail as Go, breakOut as Go)
    const { asked, masks } = moreMasks()
    const changed = changeSpec(changeAct(step, CHROOT, out.act), masks)
    const stages = changed.stages.flatMap((stage): Stage<Roots>[] => {
      if (stage.title === CHROOT) return [jailStage(enterJail as Go), { ...stage, checks: [out.check] }]
      if (stage.title === COVERED) return [{ ...stage, checks: [ownSys, ...(stage.checks ?? []), asked] }]
      return [stage]
    })
    return { ...changed, stages }
  },

  tasks: [
    {
      id: 'jail',
      title: 'Put a process into a directory',
      writes: 'enterJail',
      text: '`enterJail` gets an empty directory. After it, the paths of the process must begin there: `/` is that directory, and `..` does not lead out of it.',
      checks: ['in-jail', 'we-stayed'],
      record: (tape, { enterJail }) => (enterJail as Go)(tape, '/jail'),
      hints: [
        'Two things decide where a path leads: where “/” is, and where the process stands (its working directory). You want both in the jail.',
        '`chdir` moves the process, `chroot` moves its “/”. In which order is there no moment when the process stands outside?',
        "`tape.chdir(jail)`, and then chroot to where you stand: `tape.chroot('.')`.",
      ],
    },
    {
      id: 'break-out',
      title: 'Get out of it again',
      writes: 'breakOut',
      text: "Now you are the prisoner, with root's rights. `second` is an empty directory in your jail. The kernel stops `..` only at the process's own “/”: make yourself stand above that. In the end, “/” must be the host's.",
      checks: ['in-jail', 'chroot-escape'],
      record: (tape, { breakOut }) => (breakOut as Go)(tape, 'second'),
      hints: [
        'You cannot walk up past your own root. But `chroot` does not move its caller: what if your root were somewhere below you?',
        '`chroot` to `second` without going there; then `chdir` to `..`, again and again; in the end `chroot` to where you are.',
        "`tape.chroot(second)`, a loop of some 32 times `tape.chdir('..')` (at the top, `..` stays where it is), and `tape.chroot('.')`.",
      ],
    },
    {
      id: 'pivot',
      title: "Make the image the root, and remove the host's",
      text: "`root.inside` gets `rootfs`, the directory of an image. Make it the root mount of the mount namespace, so that the host's tree is not hidden but absent: the same break-out must then end in the container. The parts before yours have made the mount namespace, and made its mounts private.",
      checks: ['own-root', 'old-root-gone', 'pivot-holds', 'nothing-underneath', 'private-mounts'],
      hints: [
        '`pivot_root` swaps mounts, not directories. How does a directory become a mount point?',
        'Bind-mount the directory on itself (`mount` with `MS_BIND | MS_REC`), `chdir` into it, `pivot_root`; the old root then lies over the new one until `umount2` with `MNT_DETACH`.',
        "`tape.mount(rootfs, rootfs, null, MS_BIND | MS_REC, null)`, `tape.chdir(rootfs)`, `tape.pivot_root('.', '.')`, `tape.umount2('.', MNT_DETACH)`, `tape.chdir('/')`.",
      ],
    },
    {
      id: 'proc',
      title: 'Mount its own /proc',
      text: 'Programs like `ps` read `/proc`, and an image has only an empty directory there. Mount a new `proc`: it shows the pid namespace of the process that mounts it. In a user namespace, the kernel allows this only while another one is visible, so the order matters.',
      checks: ['own-proc'],
      hints: [
        "Which processes does the host's /proc show? And where in your list of calls is the host's /proc still visible?",
        '`mount` with the type `proc`, after `pivot_root` and before `umount2`.',
        "`tape.mount('proc', '/proc', 'proc', MS_NOSUID | MS_NODEV | MS_NOEXEC, null)`.",
      ],
    },
    {
      id: 'dev',
      title: 'Give it the six devices, terminals and links',
      text: "The new `/dev` must have `null`, `zero`, `full`, `random`, `urandom` and `tty`, and nothing else of the host's. A user namespace cannot make device nodes, so open the host's as descriptors while they can be reached, and attach each to an empty file later. Terminals come from a new `devpts` at `/dev/pts`; `ptmx` is a link to `pts/ptmx`, and `fd`, `stdin`, `stdout`, `stderr` are links into `/proc/self/fd`.",
      checks: ['devices', 'own-terminals', 'fd-links'],
      hints: [
        "A mount does not need a place: `open_tree` with `OPEN_TREE_CLONE` makes a copy that only a descriptor holds. What is the last moment when the host's `/dev/null` can be reached by its path?",
        '`open_tree` before the pivot; `mount` a `tmpfs` on `/dev`; `mknodat` with `S_IFREG` makes an empty file, `move_mount` with `MOVE_MOUNT_F_EMPTY_PATH` puts a device there; `mount` a `devpts` with `newinstance,ptmxmode=0666`; `symlinkat` for the links.',
        "`const held = tape.open_tree(AT_FDCWD, '/dev/null', OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)` … `tape.mknodat(AT_FDCWD, '/dev/null', S_IFREG | 0o666, 0)` and `tape.move_mount(held, '', AT_FDCWD, '/dev/null', MOVE_MOUNT_F_EMPTY_PATH)`.",
      ],
    },
    {
      id: 'cover',
      title: 'Mask what reveals the machine',
      text: "Programs look up devices and network interfaces in `/sys`: mount a new `sysfs` there, read-only, and like `/proc` while the host's is visible. `spec.linux.maskedPaths` lists paths of `/proc` and `/sys` that reveal the whole machine. Mask each: a file with `/dev/null`, a directory with an empty read-only tmpfs; a path that this kernel does not have is not an error. And `/proc/sys`, which configures the machine, must be readable but not writable.",
      checks: ['own-sys', 'masked', 'masked-as-asked', 'readonly-paths'],
      hints: [
        'What is mounted on a path hides it. And a path that is bind-mounted on itself is a mount, whose flags can be changed.',
        '`tape.attempt.mount(…)` goes on if a call is refused: a directory cannot mask a file, and nothing can mask a path that does not exist. A mount becomes read-only only by a second call, with `MS_REMOUNT`.',
        "Beside the mount of `/proc`: `tape.mount('sysfs', '/sys', 'sysfs', MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, null)`; if the host's is read-only, a user namespace cannot get a writable one. `tape.attempt.mount('/dev/null', path, null, MS_BIND, null)` and `tape.attempt.mount('tmpfs', path, 'tmpfs', MS_RDONLY, 'size=0k')` for each path; for `/proc/sys` a bind on itself, and then the same with `MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC`.",
      ],
    },
  ],

  challenge:
    'The image is still shared by all its containers, and each can write to it. Make the root read-only for good (`readonly-root` in `minilab step 3`); note that a remount sets all flags, and that a user namespace may not clear those that were set.',

  reasons: [
    {
      call: 'chdir("/jail")',
      task: 'jail',
      why: 'A process whose working directory is outside its “/” can walk on from there.',
    },
    { call: 'chroot(', task: 'jail', why: 'Only `chroot` moves “/”.' },
    {
      call: 'chroot("second")',
      task: 'break-out',
      why: 'With its root below its working directory, nothing stops “..” on the way up.',
    },
    {
      call: 'chdir("..")',
      task: 'break-out',
      why: 'Each one goes up one directory; at the top, “..” stays there.',
    },
    { call: 'chroot(".")', task: 'break-out', why: 'This makes the place it reached its “/”.' },
    {
      call: 'open_tree(',
      task: 'dev',
      why: 'A device of the host can be opened only while its path can be reached, that is, before the pivot.',
    },
    {
      call: 'chdir(',
      task: 'pivot',
      why: '`pivot_root` with “.” twice needs the working directory to be the new root.',
    },
    {
      call: 'pivot_root(',
      task: 'pivot',
      why: "Only `pivot_root` changes the root mount of the namespace; `chroot` leaves the host's tree above.",
    },
    {
      call: 'umount2(',
      task: 'pivot',
      why: 'After the exchange the old root lies on top of the new one, and `..` leads up into it, until it is unmounted.',
    },
    {
      call: 'mount("proc"',
      task: 'proc',
      why: 'Inside a user namespace the kernel refuses a new /proc once no other is visible: mount it before the old root is unmounted.',
    },
    {
      call: 'mount("sysfs"',
      task: 'cover',
      why: 'Like /proc, a new /sys can be mounted only while the old one is visible.',
    },
    {
      call: 'mount("/proc/sys"',
      task: 'cover',
      why: 'Only a mount can be made read-only: bind-mounted on itself, /proc/sys is one.',
    },
    {
      call: 'mount(NULL, "/proc/sys"',
      task: 'cover',
      why: 'MS_RDONLY has no effect in the call that binds: it takes a second one, with MS_REMOUNT.',
    },
    { call: 'mount("/dev/null"', task: 'cover', why: 'What is mounted on a file hides it.' },
    {
      call: 'mount("tmpfs", "/dev"',
      task: 'dev',
      why: "The image's /dev may be shared, or hold anything: an empty tmpfs is the container's own.",
    },
    {
      call: 'mount("devpts"',
      task: 'dev',
      why: 'A newly mounted devpts is a separate instance, with its own terminals.',
    },
    { call: 'move_mount(', task: 'dev', why: 'A copied mount has no place until it is attached.' },
    { call: 'mknodat(', task: 'dev', why: 'A device is attached to a file, which must exist.' },
    {
      call: 'symlinkat(',
      task: 'dev',
      why: 'Shells and programs open /dev/stdin and /dev/fd, which are links into /proc.',
    },
    { call: 'mkdirat(', task: 'dev', why: 'A mount needs a directory to be mounted on.' },
    {
      call: 'mount("tmpfs"',
      task: 'cover',
      why: 'What is mounted on a directory hides it; this tmpfs is empty.',
    },
    {
      call: 'mount(',
      task: 'pivot',
      why: 'pivot_root swaps mounts: a plain directory becomes one when it is bind-mounted on itself.',
    },
  ],
}
