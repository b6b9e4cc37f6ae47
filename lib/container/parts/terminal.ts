import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  O_CLOEXEC,
  O_NOCTTY,
  O_RDWR,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
  RESOLVE_NO_SYMLINKS,
  S_IFREG,
  TIOCGPTPEER,
  TIOCSCTTY,
  TIOCSPTLCK,
} from '../../kernel/syscalls/constants.ts'
import { type Launched, stayDumpable } from '../../kernel/tape/launch.ts'
import { now } from '../../kernel/syscalls/now.ts'
import { moveTo } from '../rootfs/mount-copy.ts'
import { copySize } from '../streams/our-terminal.ts'
import type { Container, Part } from '../part.ts'
import { open } from '../rootfs/mount-points.ts'
import { own } from '../streams/streams.ts'

const UNLOCKED = new Uint8Array(4)

/**
 * The container's own terminal: `-t`. The pair comes from the container's devpts, so that its name is valid
 * inside. The child opens both ends and waits until we have a copy of the master: pty(7), ioctl_tty(2).
 */
export const terminal: Part = {
  name: 'terminal',
  inside(tape, container, gate) {
    const { process } = container.spec
    if (!process.terminal) return
    const master = tape.openat(AT_FDCWD, '/dev/pts/ptmx', O_RDWR | O_NOCTTY | O_CLOEXEC, 0)
    container.terminal = { opened: master }
    tape.ioctl(master, TIOCSPTLCK, UNLOCKED)
    const slave = tape.ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)
    gate.record(tape)
    tape.ioctl(slave, TIOCSCTTY, 0) // the child's new session has no terminal yet
    for (const fd of [0, 1, 2]) tape.dup3(slave, fd, 0)
    own(tape, process.user.uid)
    // where programs such as an init look for it; for a second terminal (exec) it exists already
    tape.attempt.mknodat(AT_FDCWD, '/dev/console', S_IFREG | 0o600, 0)
    // CVE-2025-52565: by its descriptor, because /dev/pts/0 may be another file by now
    const copy = tape.attempt.open_tree(slave, '', OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH)
    moveTo(tape.attempt, copy, open(tape.attempt, '/dev/console', RESOLVE_NO_SYMLINKS, false))
  },
}

/** Copies the master from the child that waits at the gate, pidfd_getfd(2), and sets our window size before anything runs. */
export function takeTerminal(
  { terminal, spec }: Container,
  launched: Launched,
  pidfd = launched.pidfd(),
): void {
  if (!terminal) return
  stayDumpable() // ptrace(2), "access mode checking": only root could access an undumpable child
  terminal.master = now.pidfd_getfd(pidfd, launched.result(terminal.opened), 0)
  copySize(terminal.master, spec.process.consoleSize)
}
