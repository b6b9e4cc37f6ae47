import { isatty } from 'node:tty'
import { codeOf } from '../../common/error-code.ts'
import {
  O_CLOEXEC,
  O_NOCTTY,
  O_RDWR,
  TCGETS,
  TCSETSW,
  TIOCGPGRP,
  TIOCGPTPEER,
  TIOCGWINSZ,
  TIOCSPTLCK,
  TIOCSWINSZ,
} from '../../kernel/syscalls/constants.ts'
import { processGroup } from '../../kernel/process/procfs.ts'
import { int32s, now } from '../../kernel/syscalls/now.ts'

// the kernel's struct termios, asm-generic/termbits.h: four words of flags, the line discipline, 19 control characters
const TERMIOS = { size: 36, input: 0, output: 4, control: 8, local: 12, vtime: 17 + 5, vmin: 17 + 6 }
// like cfmakeraw(3): nothing is translated in either direction, and no key has a meaning to the kernel
const CLEARED = {
  input: 0o2753, // IGNBRK BRKINT PARMRK ISTRIP INLCR IGNCR ICRNL IXON
  output: 0o1, // OPOST
  local: 0o100113, // ISIG ICANON ECHO ECHONL IEXTEN
  control: 0o460, // CSIZE PARENB
}
const CS8 = 0o60

/**
 * Makes a terminal pass everything on unchanged, also after a shell has changed it, because we were stopped; returns a function that
 * restores it once.
 */
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
  // in the background we would be stopped again, by SIGTTOU: tcsetattr(3)
  const setAgain = () => unlessClosed(() => isForeground(fd) && now.ioctl(fd, TCSETSW, raw))
  process.on('SIGCONT', setAgain)
  const restore = () => {
    process.off('exit', restore)
    process.off('SIGCONT', setAgain)
    unlessClosed(() => now.ioctl(fd, TCSETSW, before))
  }
  process.on('exit', restore)
  return restore
}

function unlessClosed(act: () => unknown): void {
  try {
    act()
  } catch (error) {
    if (codeOf(error) !== 'EIO') throw error // its window has been closed
  }
}

/** Whether a terminal's keys are for our process group: tcgetpgrp(3). */
function isForeground(fd: number): boolean {
  const group = new Uint8Array(4)
  now.ioctl(fd, TIOCGPGRP, group)
  return int32s(group)[0] === processGroup('self')
}

/** Gives another terminal the size of ours, now and at every change; the kernel then sends SIGWINCH to its foreground processes. */
export function followSize(master: number): () => void {
  if (terminalOfOurs() === undefined) return () => {} // it keeps the size that it was given
  const follow = () => copySize(master)
  follow()
  process.on('SIGWINCH', follow)
  return () => process.off('SIGWINCH', follow)
}

/** The other end of a pseudo-terminal whose master was just opened, wherever its devpts is mounted: ioctl_tty(2). */
export function openSlave(master: number): number {
  now.ioctl(master, TIOCSPTLCK, new Uint8Array(4))
  return now.ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)
}

const terminalOfOurs = () => [0, 1, 2].find(fd => isatty(fd))

/** struct winsize: rows, columns, pixels. Without a given size, and without the size of a terminal of ours, 24 lines of 80. */
export function copySize(master: number, given?: { width: number; height: number }): void {
  const ours = terminalOfOurs()
  const size = new Uint8Array(8)
  if (given) new Uint16Array(size.buffer).set([given.height, given.width])
  else if (ours !== undefined) now.ioctl(ours, TIOCGWINSZ, size)
  const [rows, columns] = new Uint16Array(size.buffer)
  now.ioctl(master, TIOCSWINSZ, rows && columns ? size : new Uint8Array(Uint16Array.of(24, 80, 0, 0).buffer))
}
