import { closeSync, constants } from 'node:fs'
import { ourselves } from '../common/ourselves.ts'
import { mayAccess } from '../kernel/process/access.ts'
import { capabilityNames } from '../kernel/process/capabilities.ts'
import {
  AT_FDCWD,
  CLONE_FILES,
  CLONE_NEWNS,
  CLONE_NEWUSER,
  CLOSE_RANGE_CLOEXEC,
  F_SETFD,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from '../kernel/syscalls/constants.ts'
import { now } from '../kernel/syscalls/now.ts'
import { Handover, type Told } from '../kernel/process/handed.ts'
import { status } from '../kernel/process/procfs.ts'
import { Tape } from '../kernel/tape/tape.ts'
import { play } from '../kernel/tape/visit.ts'
import { makeReadOnly } from './rootfs/mount-attributes.ts'

/** The program that this process runs, whatever its path: proc_pid_exe(5). */
const OWN = '/proc/self/exe'

/** All descriptors but the standard three. */
const [FIRST, LAST] = [3, 0xffffffff]

/** Whether whoever has our rights could overwrite it: asked, never tried. */
const isWritable = () => mayAccess(OWN, constants.W_OK)

/**
 * Runs this same command once more, from a read-only mount of our own program. An image's entry point can be a script
 * that begins with `#!/proc/self/exe`: the kernel looks that path up in the child that we launch, which is still us, so
 * that our program runs in the container, and could be opened for writing there (CVE-2019-5736). The mount is of this one
 * file and in no mount namespace: nobody can reach it by a path, or remount it.
 *
 * Does not return, unless we run from such a mount already, or may not write to our program anyway. To be called before
 * anything else: only stdin, stdout and stderr are handed on, and what is `told`. Throws a SyscallError where the kernel
 * refuses the mount.
 */
export async function protectOwnProgram(told?: Told): Promise<void> {
  // Node marks descriptors that it has inherited only up to the first gap; none is a container's, nor its keeper's
  now.close_range(FIRST, LAST, CLOSE_RANGE_CLOEXEC)
  if (!isWritable()) {
    // in no mount namespace it has no path: whom we start from here on as ourselves runs from the same mount
    if (process.execPath === '/') process.execPath = OWN
    return
  }
  const mount = await readOnlyMount()
  try {
    using handed = told && new Handover(told)
    // Node marks descriptors close-on-exec
    for (const fd of [0, 1, 2, ...(handed ? [handed.fd] : [])]) now.fcntl(fd, F_SETFD, 0)
    const args = ourselves(undefined, process.execArgv)
    const env = Object.entries({ ...process.env, ...handed?.env() }).map(
      ([name, value]) => `${name}=${value ?? ''}`,
    )
    now.execve(`/proc/self/fd/${mount}`, args, env)
  } finally {
    closeSync(mount) // only where the kernel refused
  }
}

/**
 * A descriptor for a read-only mount of our program. Made by a child in a mount namespace of its own, and where we have
 * not the rights over that, in a user namespace too.
 */
async function readOnlyMount(): Promise<number> {
  const tape = new Tape()
  // by its path, which leads to a mount of the child's own namespace: only such a one may it copy
  const mount = tape.open_tree(AT_FDCWD, process.execPath, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)
  makeReadOnly(tape, mount)
  const mayMount = capabilityNames(BigInt(`0x${status('self').CapEff}`)).includes('CAP_SYS_ADMIN')
  // CLONE_FILES: the descriptor is ours as well
  const replayed = await play(tape, CLONE_FILES + CLONE_NEWNS + (mayMount ? 0 : CLONE_NEWUSER))
  return replayed[0]?.result ?? -1
}
