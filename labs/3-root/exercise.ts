import type { Roots } from '../../chapters/3-root/step.ts'
import { changeAct, changeSpec } from '../../lib/guide/mutant.ts'
import type { Stage } from '../../lib/guide/step.ts'
import type { Exercise } from '../../lib/labs/exercise.ts'
import type { Tape } from '../../lib/kernel/tape/tape.ts'
import { jailStage, outAgain } from './jail.ts'
import { moreMasks } from './masks.ts'
import { ownSys } from './sys.ts'

type Go = (tape: Tape, directory: string) => void

const CHROOT = 'chroot: one pointer'
const COVERED = 'What it must not see'

export const exercise: Exercise<Roots> = {
  number: 3,
  name: 'root',
  title: 'A root file system that one cannot leave',
  goal: 'You put a process into a directory, walk out of it, and then take the way out away: afterwards you can say why containers use `pivot_root` and not `chroot`.',
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
      text: '`enterJail` gets an empty directory. After it, the paths of the process shall begin there: `/` is that directory, and `..` in it leads nowhere.',
      checks: ['in-jail', 'we-stayed'],
      record: (tape, { enterJail }) => (enterJail as Go)(tape, '/jail'),
      hints: [
        'Two things decide how a path is read: where “/” is, and where the process stands. You want both in the jail.',
        '`chdir` moves the process, `chroot` moves its “/”. In which order are they free of doubt?',
        "`tape.chdir(jail)`, and then chroot to where you stand: `tape.chroot('.')`.",
      ],
    },
    {
      id: 'break-out',
      title: 'Get out of it again',
      writes: 'breakOut',
      text: 'Now you are the prisoner, with root’s rights. `second` is an empty directory in your jail. The kernel stops `..` only at the process’s own “/”: arrange it so that you stand above that. In the end “/” shall be the host’s.',
      checks: ['in-jail', 'chroot-escape'],
      record: (tape, { breakOut }) => (breakOut as Go)(tape, 'second'),
      hints: [
        'Nobody can walk up through his own root. But `chroot` does not move whoever calls it: what if your root were somewhere below you?',
        '`chroot` to `second` without going there; then `chdir` to `..`, again and again; in the end `chroot` to where you have come.',
        "`tape.chroot(second)`, a loop of some 32 times `tape.chdir('..')` (at the top, `..` stays where it is), and `tape.chroot('.')`.",
      ],
    },
    {
      id: 'pivot',
      title: 'Make the image the root, and let the host’s go',
      text: '`root.inside` gets `rootfs`, the directory of an image. Exchange the root mount of the mount namespace for it, so that the host’s tree is not hidden but absent: the same break-out must then end in the container. The parts before yours have made the mount namespace, and its mounts private.',
      checks: ['own-root', 'old-root-gone', 'pivot-holds', 'nothing-underneath', 'private-mounts'],
      hints: [
        '`pivot_root` exchanges mounts, not directories. What is a directory that is no mount point, and how does it become one?',
        'Bind the directory on itself (`mount` with `MS_BIND | MS_REC`), `chdir` into it, `pivot_root`; the old root then lies over the new one until `umount2` with `MNT_DETACH`.',
        "`tape.mount(rootfs, rootfs, null, MS_BIND | MS_REC, null)`, `tape.chdir(rootfs)`, `tape.pivot_root('.', '.')`, `tape.umount2('.', MNT_DETACH)`, `tape.chdir('/')`.",
      ],
    },
    {
      id: 'proc',
      title: 'Mount a /proc of its own',
      text: 'Programs like `ps` read `/proc`, and an image has only an empty directory there. Mount a new `proc`: it shows the pid namespace of whoever mounts it. In a user namespace the kernel gives you one only while another is in sight, so the order matters.',
      checks: ['own-proc'],
      hints: [
        'Which of the processes does the host’s /proc show? And when, in your list of calls, can the host’s still be seen?',
        '`mount` with the type `proc`, after `pivot_root` and before `umount2`.',
        "`tape.mount('proc', '/proc', 'proc', MS_NOSUID | MS_NODEV | MS_NOEXEC, null)`.",
      ],
    },
    {
      id: 'dev',
      title: 'Give it the six devices, terminals and links',
      text: 'In the new `/dev` there shall be `null`, `zero`, `full`, `random`, `urandom` and `tty`, nothing else of the host’s. A user namespace cannot make device nodes, so take hold of the host’s as descriptors while they can be reached, and attach them later, each to an empty file. Terminals come from a new `devpts` at `/dev/pts`; `ptmx` is a link to `pts/ptmx`, and `fd`, `stdin`, `stdout`, `stderr` are links into `/proc/self/fd`.',
      checks: ['devices', 'own-terminals', 'fd-links'],
      hints: [
        'A mount need not have a place: `open_tree` with `OPEN_TREE_CLONE` makes a copy that only a descriptor holds. When can `/dev/null` of the host be named for the last time?',
        '`open_tree` before the pivot; `mount` a `tmpfs` on `/dev`; `mknodat` with `S_IFREG` makes an empty file, `move_mount` with `MOVE_MOUNT_F_EMPTY_PATH` puts a device there; `mount` a `devpts` with `newinstance,ptmxmode=0666`; `symlinkat` for the links.',
        "`const held = tape.open_tree(AT_FDCWD, '/dev/null', OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)` … `tape.mknodat(AT_FDCWD, '/dev/null', S_IFREG | 0o666, 0)` and `tape.move_mount(held, '', AT_FDCWD, '/dev/null', MOVE_MOUNT_F_EMPTY_PATH)`.",
      ],
    },
    {
      id: 'cover',
      title: 'Cover what speaks of the machine',
      text: 'Programs read of devices and network links in `/sys`: mount a new `sysfs` there, read-only, and like `/proc` while the host’s is in sight. `spec.linux.maskedPaths` lists paths of `/proc` and `/sys` that tell of the whole machine. Cover each: a file by `/dev/null`, a directory by an empty read-only tmpfs; those that this kernel does not have are no failure. And `/proc/sys`, by which the machine is configured, shall be readable but not writable.',
      checks: ['own-sys', 'masked', 'masked-as-asked', 'readonly-paths'],
      hints: [
        'What is mounted on a path hides it. And a bind mount on itself is a mount whose flags can be changed.',
        '`tape.attempt.mount(…)` goes on where a call is refused: a file cannot be covered by a directory, nor what is not there by anything. A mount becomes read-only only by a second call, with `MS_REMOUNT`.',
        "Beside the mount of `/proc`: `tape.mount('sysfs', '/sys', 'sysfs', MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, null)`; where the host’s is read-only a user namespace gets no other. `tape.attempt.mount('/dev/null', path, null, MS_BIND, null)` and `tape.attempt.mount('tmpfs', path, 'tmpfs', MS_RDONLY, 'size=0k')` for each path; for `/proc/sys` a bind on itself, and then the same with `MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC`.",
      ],
    },
  ],

  challenge:
    'The image is still shared by all its containers, and each can write to it. Make the root read-only for good (`readonly-root` in `minilab step 3`); mind that a remount sets all flags anew, and that a user namespace may not clear those that were there.',

  reasons: [
    {
      call: 'chdir("/jail")',
      task: 'jail',
      why: 'A process that stands outside of its “/” can walk on from there.',
    },
    { call: 'chroot(', task: 'jail', why: 'Only `chroot` moves “/”.' },
    {
      call: 'chroot("second")',
      task: 'break-out',
      why: 'With its root below the place where it stands, nothing stops “..” on the way up.',
    },
    {
      call: 'chdir("..")',
      task: 'break-out',
      why: 'Each one goes up a directory; at the very top “..” stays.',
    },
    { call: 'chroot(".")', task: 'break-out', why: 'That makes where it has come its “/”.' },
    {
      call: 'open_tree(',
      task: 'dev',
      why: 'A device of the host can be taken hold of only while its path can still be reached, that is before the pivot.',
    },
    {
      call: 'chdir(',
      task: 'pivot',
      why: '`pivot_root` with “.” twice needs the process to stand in the new root.',
    },
    {
      call: 'pivot_root(',
      task: 'pivot',
      why: 'Only `pivot_root` changes the root mount of the namespace; `chroot` leaves the host’s tree above.',
    },
    {
      call: 'umount2(',
      task: 'pivot',
      why: 'After the exchange the old root lies on top of the new one, and `..` leads up into it, until it is unmounted.',
    },
    {
      call: 'mount("proc"',
      task: 'proc',
      why: 'Inside a user namespace the kernel refuses a new /proc once no other is in sight: mount it before the old root goes.',
    },
    {
      call: 'mount("sysfs"',
      task: 'cover',
      why: 'Like /proc, a new /sys is given only while the old one is in sight.',
    },
    {
      call: 'mount("/proc/sys"',
      task: 'cover',
      why: 'Only a mount can be made read-only: bound on itself, /proc/sys is one.',
    },
    {
      call: 'mount(NULL, "/proc/sys"',
      task: 'cover',
      why: 'MS_RDONLY has no effect in the call that binds: it takes a second one, with MS_REMOUNT.',
    },
    { call: 'mount("/dev/null"', task: 'cover', why: 'A file is hidden by what is mounted on it.' },
    {
      call: 'mount("tmpfs", "/dev"',
      task: 'dev',
      why: 'The image’s /dev may be shared, or hold anything: an empty tmpfs is the container’s own.',
    },
    {
      call: 'mount("devpts"',
      task: 'dev',
      why: 'A devpts mounted anew is an instance of its own, with its own terminals.',
    },
    { call: 'move_mount(', task: 'dev', why: 'A copied mount is nowhere until it is attached.' },
    { call: 'mknodat(', task: 'dev', why: 'A device is attached to a file, which must be there.' },
    {
      call: 'symlinkat(',
      task: 'dev',
      why: 'Shells and programs open /dev/stdin and /dev/fd, which are links into /proc.',
    },
    { call: 'mkdirat(', task: 'dev', why: 'What is mounted needs a directory to be mounted on.' },
    { call: 'mount("tmpfs"', task: 'cover', why: 'A directory is hidden by an empty one.' },
    {
      call: 'mount(',
      task: 'pivot',
      why: 'pivot_root exchanges mounts: a plain directory becomes one when it is bound on itself.',
    },
  ],
}
