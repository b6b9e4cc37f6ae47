import { posix } from 'node:path'
import {
  AT_FDCWD,
  F_SETFD,
  LAST_FD,
  OPEN_HOW_SIZE,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  PR_SET_PDEATHSIG,
  RESOLVE_NO_MAGICLINKS,
  SIGKILL,
  SIGPIPE,
  SIGXFSZ,
} from '../../kernel/syscalls/constants.ts'
import type { Gate } from '../../kernel/tape/gate.ts'
import type { Tape } from '../../kernel/tape/tape.ts'
import type { Container, Part } from '../part.ts'
import { notifies } from '../seccomp/seccomp-profile.ts'
import type { Stdio } from '../streams/streams.ts'

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Chapter 1. The program: its arguments, environment, working directory and the three descriptors it starts with.
 * It isolates nothing. It comes last in every list of parts, because its last call does not return.
 */
export const program: Part = {
  name: 'process',
  inside(tape, { spec, diesWithUs, entered, closed }, gate) {
    const { args, cwd, env } = spec.process
    if (diesWithUs) dieWithUs(tape, gate)
    // the container needs no other open descriptor. They are closed now, not at the execve, so that no path (the
    // working directory, a link of the image) can lead there through /proc/self/fd: CVE-2024-21626
    if (!closed) tape.close_range(3, LAST_FD, 0)
    if (!entered) tape.chdir(cwd)
    execvp(tape, args, env)
  },
}

/**
 * The same, before there is a filter: a profile from before 2020 does not list close_range(2), which is of Linux 5.9. If the child has to
 * wait at a gate when it has the filter, that stays open until the execve.
 */
export function closeRest(tape: Tape, container: Container, gate: Gate): void {
  const needed = notifies(container.spec.linux.seccomp) ? gate.childEnd : undefined
  if (container.held) container.held.closeRest(tape, needed)
  else
    for (const [first, last] of rangesWithout(needed === undefined ? [] : [needed], 3, LAST_FD))
      tape.close_range(first, last, 0)
  container.closed = true
}

/** The ranges that a range of descriptors leaves without some of them. */
export function rangesWithout(kept: readonly number[], first: number, last: number): [number, number][] {
  const inside = kept.filter(fd => fd >= first && fd <= last).toSorted((a, b) => a - b)
  const starts = [first, ...inside.map(fd => fd + 1)]
  const ends = [...inside.map(fd => fd - 1), last]
  return starts
    .map((start, i): [number, number] => [start, ends[i] ?? last])
    .filter(([start, end]) => start <= end)
}

/**
 * The working directory of a user other than root, entered while the child is still root: as with runc, it may be a directory that
 * only root may enter. No magic link is followed: CVE-2024-21626. Of a held container and of `exec` that of root, too: the descriptors
 * 0 to 2 are the caller's.
 */
export const workdir: Part = {
  name: 'process',
  inside(tape, container) {
    const { user, cwd } = container.spec.process
    if (user.uid === 0 && !container.held && !container.joins) return
    const how = { flags: O_PATH | O_DIRECTORY | O_CLOEXEC, resolve: RESOLVE_NO_MAGICLINKS }
    tape.fchdir(tape.openat2(AT_FDCWD, cwd, how, OPEN_HOW_SIZE))
    container.entered = true
  },
}

/** From here on the child dies when we do. prctl(2): a change of credentials clears the setting, so it comes after them. */
export function dieWithUs(tape: Tape, gate: Gate): void {
  tape.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
  gate.recordLife(tape)
}

/**
 * Passes on our stdin, stdout and stderr, or the given descriptors (`null` is opened later: streams.ts). Undoes what Node has set for
 * itself: 0–2 are close-on-exec, and SIGPIPE and SIGXFSZ ignored. execve(2) would pass that on (`yes | head` would not end quietly).
 */
export function handOnStdio(tape: Tape, stdio: Stdio = [0, 1, 2]): void {
  stdio.forEach((fd, target) => {
    // ours for now, if it is opened later: otherwise another file would get the number
    if (fd === target || fd === 'null') tape.fcntl(target, F_SETFD, 0)
    else tape.dup3(fd, target, 0)
  })
  for (const signal of [SIGPIPE, SIGXFSZ]) tape.rt_sigaction(signal, 'SIG_DFL', null, 8)
}

/** Like execvp(3): a name without a slash is tried in each directory of the container's PATH; the last attempt must succeed. */
function execvp(tape: Tape, args: string[], env: string[]): void {
  const candidates = searchPath(args[0] ?? '', env)
  candidates.forEach((path, i) => {
    const last = i === candidates.length - 1
    if (last) tape.execve(path, args, env)
    else tape.attempt.execve(path, args, env)
  })
}

/** Where a program is looked for: execvp(3). */
export function searchPath(command: string, env: readonly string[]): string[] {
  if (command.includes('/')) return [command]
  const path = env.find(entry => entry.startsWith('PATH='))?.slice(5) ?? DEFAULT_PATH
  return path.split(':').map(folder => posix.join(folder || '.', command))
}
