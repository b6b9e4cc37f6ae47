import { MinilabError } from '../common/errors.ts'
import {
  AT_FDCWD,
  CLONE_NEWNS,
  CLONE_NEWUSER,
  CLONE_PARENT,
  CLONE_PARENT_SETTID,
  CLONE_VFORK,
  CLONE_VM,
  LAST_FD,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_REC,
  MS_SHARED,
  O_CLOEXEC,
  O_WRONLY,
  PR_SET_DUMPABLE,
  PR_SET_PDEATHSIG,
  SIGCHLD,
  SIGKILL,
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
import { denySettingWrites } from './cgroup-programs.ts'
import { idMaps, NAMESPACES, type SandboxOf } from './sandbox.ts'
import { protectFiles } from './protected-files.ts'
import { findProgram } from '../container/net/rule-tool.ts'

const FOR_EVER = '2147483647' // seconds

/** The flags for a clone3 by our child whose new process is our child too, and continues the tape. */
export const CLONE_AS_SIBLING = CLONE_VM + CLONE_VFORK + CLONE_PARENT + CLONE_PARENT_SETTID

/**
 * Starts the init of a `protected` sandbox, which adopts orphans and reaps them; other processes then join it. When it ends,
 * the kernel kills all processes of the sandbox; it ends when we end.
 *
 * There are two user namespaces, one inside the other. The mounts that protect the machine's files are made in the outer one,
 * so no process in the inner one can unmount them or make them writable: mount_namespaces(7).
 *
 * Throws a SyscallError where no user namespace can be made.
 */
export async function startInit({ root, files, cgroup }: SandboxOf<'protected'>): Promise<Child> {
  const sleep = findProgram('sleep')
  if (!sleep)
    throw new MinilabError('limited', 'the program sleep is not installed', 'sudo apt-get install coreutils')
  const [uids, gids] = idMaps(root)
  if ('around' in cgroup) denySettingWrites(cgroup.around)
  const tape = new Tape()
  const gate = new Gate()
  const init = new Uint8Array(4)
  gate.orAbandon(() => {
    gate.record(tape)
    protectFiles(tape, files, cgroup)
    tape.become({ flags: CLONE_AS_SIBLING + NAMESPACES.protected, parentTid: init })
    gate.record(tape)
    tape.mount(null, '/', null, MS_REC | MS_SHARED, null) // as on most machines
    for (const [type, path] of [
      ['proc', '/proc'],
      ['mqueue', '/dev/mqueue'],
    ] as const)
      tape.mount(type, path, type, MS_NOSUID | MS_NODEV | MS_NOEXEC, null)
    disableForwarding(tape)
    tape.rt_sigaction(SIGCHLD, 'SIG_IGN', null, 8) // waitpid(2): with SIG_IGN the kernel reaps children itself
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
      await writeIdMapsFrom(launched.pid(), pid, toInner(uids), toInner(gids))
      await setLoopbackUp(pid)
    },
  ])
  return secondChild(outer, init, failed)
}

/**
 * Switches IP forwarding off, as on a machine that has never run a container: a new network namespace copies the machine's
 * setting (devinet_init_net(), net/ipv4/devinet.c), and Docker switches that on. No effect where /proc/sys is read-only.
 */
export function disableForwarding(tape: Tape): void {
  const file = tape.attempt.openat(AT_FDCWD, '/proc/sys/net/ipv4/ip_forward', O_WRONLY | O_CLOEXEC, 0)
  tape.attempt.write(file, Buffer.from('0'), 1)
  tape.attempt.close(file)
}

/** The child that our child made with `CLONE_AS_SIBLING`. Throws `failed`, or an error if no such child was made. */
export async function secondChild(first: Child, parentTid: Uint8Array, failed?: Error): Promise<Child> {
  await first.exit
  const [pid] = int32s(parentTid)
  const child = pid ? new Child(pid, now.pidfd_open(pid, 0)) : undefined
  if (child && !failed) return child
  await child?.exit
  throw failed ?? new Error(`process ${first.pid} ended before it made the second child`)
}

/** Rewrites a map of the outer user namespace for the inner one: `0 1000 1` becomes `0 0 1`. */
const toInner = (map: string) => map.replace(/^(\d+) \d+/, '$1 $1')

/**
 * Writes the maps as `writeIdMaps` does, from inside the user namespace of process `from`: the new namespace's parent, whose
 * ids they name.
 */
async function writeIdMapsFrom(from: number, pid: number, uids: string, gids: string): Promise<void> {
  await visit(from, ['user'], tape => {
    // setns(2) made the memory that we share with the other child undumpable; then its uid_map would belong to the machine's
    // root: proc_pid(5)
    tape.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    for (const [name, map] of Object.entries({ uid_map: uids, gid_map: gids })) {
      const file = tape.openat(AT_FDCWD, `/proc/${pid}/${name}`, O_WRONLY | O_CLOEXEC, 0)
      tape.write(file, Buffer.from(map), map.length)
      tape.close(file) // the child shares our descriptors: visit.ts
    }
  })
}
