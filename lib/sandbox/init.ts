import { MinilabError } from '../common/errors.ts'
import {
  AT_FDCWD,
  CLONE_NEWNS,
  CLONE_NEWUSER,
  CLONE_PARENT,
  CLONE_PARENT_SETTID,
  CLONE_VFORK,
  CLONE_VM,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_REC,
  MS_SHARED,
  O_CLOEXEC,
  O_WRONLY,
  PR_SET_DUMPABLE,
  PR_SET_PDEATHSIG,
} from '../kernel/syscalls/constants.ts'
import { Child } from '../kernel/process/child.ts'
import { Gate } from '../kernel/tape/gate.ts'
import { writeIdMaps } from '../kernel/process/id-maps.ts'
import { launchGated } from '../kernel/tape/launch-gated.ts'
import { int32s, now } from '../kernel/syscalls/now.ts'
import { setLoopbackUp } from '../kernel/netlink/rtnetlink.ts'
import { Tape } from '../kernel/tape/tape.ts'
import { visit } from '../kernel/tape/visit.ts'
import { joinCgroup } from './cgroup.ts'
import { keepSettings } from './cgroup-programs.ts'
import { idMaps, NAMESPACES, type SandboxOf } from './sandbox.ts'
import { protectFiles } from './protected-files.ts'
import { findProgram } from '../container/net/rule-tool.ts'

const SIGKILL = 9
const SIGCHLD = 17
const LAST_FD = 0xffffffff
const FOR_EVER = '2147483647' // seconds

/** A clone3 by the child itself: what it makes is our child, and goes on with the tape. */
export const AGAIN = CLONE_VM + CLONE_VFORK + CLONE_PARENT + CLONE_PARENT_SETTID

/**
 * Starts the first process of a `protected` sandbox; other processes then join it. It does what an init has to
 * do: it adopts orphans and reaps them. All processes there end with it, and it ends with us.
 *
 * There are two user namespaces, one in the other: what is mounted in the outer one, to protect the machine's files, no process
 * in the inner one can unmount or make writable: mount_namespaces(7).
 *
 * Throws a SyscallError where there can be no user namespace.
 */
export async function startInit({ root, files, cgroup }: SandboxOf<'protected'>): Promise<Child> {
  const sleep = findProgram('sleep')
  if (!sleep)
    throw new MinilabError('limited', 'the program sleep is not installed', 'sudo apt-get install coreutils')
  const [uids, gids] = idMaps(root)
  if ('around' in cgroup) keepSettings(cgroup.around)
  const tape = new Tape()
  const gate = new Gate()
  const init = new Uint8Array(4)
  gate.orAbandon(() => {
    gate.record(tape)
    protectFiles(tape, files, cgroup)
    tape.become({ flags: AGAIN + NAMESPACES.protected, parentTid: init })
    gate.record(tape)
    tape.mount(null, '/', null, MS_REC | MS_SHARED, null) // as on most machines
    for (const [type, path] of [
      ['proc', '/proc'],
      ['mqueue', '/dev/mqueue'],
    ] as const)
      tape.mount(type, path, type, MS_NOSUID | MS_NODEV | MS_NOEXEC, null)
    forwardNothing(tape)
    tape.rt_sigaction(SIGCHLD, 'SIG_IGN', null, 8) // waitpid(2): the kernel reaps what ends
    tape.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    gate.recordLife(tape)
    tape.close_range(0, LAST_FD, 0)
    tape.execve(sleep, ['sleep', FOR_EVER], [])
  })
  const { child: outer, failed } = await launchGated(tape, gate, CLONE_NEWUSER + CLONE_NEWNS, [
    launched => {
      joinCgroup(cgroup, launched.pid())
      writeIdMaps(launched.pid(), uids, gids)
    },
    async launched => {
      const pid = launched.pidIn(init)
      await writeIdMapsFrom(launched.pid(), pid, same(uids), same(gids))
      await setLoopbackUp(pid)
    },
  ])
  return second(outer, init, failed)
}

/**
 * As on a machine that has never run a container: a new network namespace begins with the machine's own setting
 * (devinet_init_net(), net/ipv4/devinet.c), which Docker switches on. Where /proc/sys is read-only it stays.
 */
export function forwardNothing(tape: Tape): void {
  const file = tape.attempt.openat(AT_FDCWD, '/proc/sys/net/ipv4/ip_forward', O_WRONLY | O_CLOEXEC, 0)
  tape.attempt.write(file, Buffer.from('0'), 1)
  tape.attempt.close(file)
}

/** The child that a child of ours has made by `AGAIN`. Throws what was refused to it. */
export async function second(first: Child, parentTid: Uint8Array, failed?: Error): Promise<Child> {
  await first.exit
  const [pid] = int32s(parentTid)
  const child = pid ? new Child(pid, now.pidfd_open(pid, 0)) : undefined
  if (child && !failed) return child
  await child?.exit
  throw failed ?? new Error(`process ${first.pid} ended before it made the second child`)
}

/** `0 1000 1` in the outer user namespace is `0 0 1` in the inner one. */
const same = (map: string) => map.replace(/^(\d+) \d+/, '$1 $1')

/** As `writeIdMaps`, for a user namespace that lies in that of the process `from`: only from there can it be said. */
async function writeIdMapsFrom(from: number, pid: number, uids: string, gids: string): Promise<void> {
  await visit(from, ['user'], tape => {
    // joining has made our memory undumpable, which the other child shares: then its map would be the machine's root's
    tape.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    for (const [name, map] of Object.entries({ uid_map: uids, gid_map: gids })) {
      const file = tape.openat(AT_FDCWD, `/proc/${pid}/${name}`, O_WRONLY | O_CLOEXEC, 0)
      tape.write(file, Buffer.from(map), map.length)
    }
  })
}
