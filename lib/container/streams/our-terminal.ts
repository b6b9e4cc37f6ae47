import { isatty } from 'node:tty'
import { codeOf } from '../../common/error-code.ts'
import {
  O_CLOEXEC,
  O_NOCTTY,
  O_RDWR,
  TCGETS,
  TCSETSW,
  TIOCGPTPEER,
  TIOCGWINSZ,
  TIOCSPTLCK,
  TIOCSWINSZ,
} from '../../kernel/syscalls/constants.ts'
import { now } from '../../kernel/syscalls/now.ts'

// struct termios of the kernel, asm-generic/termbits.h: four words of flags, the line discipline, 19 control characters
const TERMIOS = { size: 36, input: 0, output: 4, control: 8, local: 12, vtime: 17 + 5, vmin: 17 + 6 }
// as cfmakeraw(3) does: nothing is translated, in either direction, and no key means anything to the kernel
const CLEARED = {
  input: 0o2753, // IGNBRK BRKINT PARMRK ISTRIP INLCR IGNCR ICRNL IXON
  output: 0o1, // OPOST
  local: 0o100113, // ISIG ICANON ECHO ECHONL IEXTEN
  control: 0o460, // CSIZE PARENB
}
const CS8 = 0o60

/** Has a terminal pass everything on as it is; returns what gives it back as it was, once. */
export function makeRaw(fd: number): () => void {
  const before = new Uint8Array(TERMIOS.size)
  now.ioctl(fd, TCGETS, before)
  const raw = before.slice()
  const view = new DataView(raw.buffer)
  for (const [flags, cleared] of Object.entries(CLEARED) as [keyof typeof CLEARED, number][])
    view.setUint32(TERMIOS[flags], view.getUint32(TERMIOS[flags], true) & ~cleared, true)
  view.setUint32(TERMIOS.control, view.getUint32(TERMIOS.control, true) | CS8, true)
  raw[TERMIOS.vmin] = 1
  raw[TERMIOS.vtime] = 0
  now.ioctl(fd, TCSETSW, raw)
  const restore = () => {
    process.off('exit', restore)
    try {
      now.ioctl(fd, TCSETSW, before)
    } catch (error) {
      if (codeOf(error) !== 'EIO') throw error // its window has been closed
    }
  }
  process.on('exit', restore)
  return restore
}

/** Gives another terminal the size of ours, now and whenever that changes; the kernel sends SIGWINCH to who uses it. */
export function followSize(master: number): () => void {
  const follow = () => copySize(master)
  follow()
  process.on('SIGWINCH', follow)
  return () => process.off('SIGWINCH', follow)
}

/** The other end of a pseudo-terminal that has just been opened by its master, wherever its devpts is mounted: ioctl_tty(2). */
export function openSlave(master: number): number {
  now.ioctl(master, TIOCSPTLCK, new Uint8Array(4))
  return now.ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)
}

/** struct winsize: rows, columns, pixels. Where neither a size is given nor a terminal of ours has one, 24 lines of 80. */
export function copySize(master: number, given?: { width: number; height: number }): void {
  const ours = [0, 1, 2].find(fd => isatty(fd))
  const size = new Uint8Array(8)
  if (given) new Uint16Array(size.buffer).set([given.height, given.width])
  else if (ours !== undefined) now.ioctl(ours, TIOCGWINSZ, size)
  const [rows, columns] = new Uint16Array(size.buffer)
  now.ioctl(master, TIOCSWINSZ, rows && columns ? size : new Uint8Array(Uint16Array.of(24, 80, 0, 0).buffer))
}
