import { closeSync } from 'node:fs'
import { Child } from '../process/child.ts'
import {
  CLONE_FILES,
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
  CLONE_NEWPID,
  PR_SET_DUMPABLE,
} from '../syscalls/constants.ts'
import { failure } from '../syscalls/failure.ts'
import { launch, sharesOurMemory } from './launch.ts'
import { now } from '../syscalls/now.ts'
import { type Namespace, namespaceInode } from '../process/procfs.ts'
import { type Replayed, Tape } from './tape.ts'

/** The clone flag of each kind of namespace: namespaces(7). */
const NAMESPACE_FLAGS: Record<Namespace, number> = {
  user: CLONE_NEWUSER,
  pid: CLONE_NEWPID,
  mnt: CLONE_NEWNS,
  uts: CLONE_NEWUTS,
  ipc: CLONE_NEWIPC,
  net: CLONE_NEWNET,
  cgroup: CLONE_NEWCGROUP,
  time: CLONE_NEWTIME,
}

/** Those of the given namespaces in which a process differs from us, as setns(2) flags. A process may not rejoin its own namespace. */
export function foreignNamespaces(pid: number, kinds: readonly Namespace[]): number {
  return kinds
    .filter(kind => namespaceInode(pid, kind) !== namespaceInode('self', kind))
    .reduce((flags, kind) => flags | NAMESPACE_FLAGS[kind], 0)
}

/**
 * Runs a tape in a child that joins namespaces of a process, does not exec, and ends: to look, or to act, from inside.
 * The child shares our descriptor table, so a socket that it opens there is ours afterwards.
 * If a call is refused (except a tape's `attempt` calls), the child ends, and a SyscallError is thrown; for the calls
 * that `mayBeRefused`, a refusal is a result like any other.
 */
export async function visit(
  pid: number,
  kinds: readonly Namespace[],
  record: (tape: Tape) => void,
  mayBeRefused: readonly string[] = [],
): Promise<Replayed[]> {
  const tape = new Tape()
  const pidfd = now.pidfd_open(pid, 0)
  try {
    const join = foreignNamespaces(pid, kinds)
    // this child shares our memory: no process in the namespace may ptrace it (CVE-2016-9962). But a child that waits
    // at its gate shares that memory too; if it were undumpable, an ordinary user could not join its namespaces
    if (join && !sharesOurMemory(pid)) tape.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    if (join) tape.setns(pidfd, join)
    record(tape)
    return await play(tape, CLONE_FILES, mayBeRefused)
  } finally {
    closeSync(pidfd)
  }
}

/** Plays a tape to its end in a separate child, which then exits; `flags` are clone3's. Throws as `visit` does. */
export async function play(tape: Tape, flags = 0, mayBeRefused: readonly string[] = []): Promise<Replayed[]> {
  tape.exit_group(0)
  const launched = launch(tape, flags)
  const replayed = await launched.replayed
  await new Child(launched.pid(), launched.pidfd()).exit
  const failed = failure(tape, replayed)
  if (failed && !mayBeRefused.includes(failed.call)) throw failed
  return replayed
}
