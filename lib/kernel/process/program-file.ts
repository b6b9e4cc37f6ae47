import { fchmodSync, writeSync } from 'node:fs'
import { closing, openFile, orClose } from '../../common/descriptor.ts'
import { codeOf } from '../../common/error-code.ts'
import { MinilabError } from '../../common/errors.ts'
import {
  FSCONFIG_CMD_CREATE,
  FSCONFIG_CMD_RECONFIGURE,
  FSCONFIG_SET_FLAG,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  O_CLOEXEC,
  O_PATH,
} from '../syscalls/constants.ts'
import { now } from '../syscalls/now.ts'
import { memoryFile, seal } from './memory-file.ts'

/** Execute, but not read: a process whose program it may not read is undumpable, execve(2). */
const EXECUTABLE = 0o111

/**
 * A program that no process can change, as a close-on-exec descriptor for execveat(2). Throws a machine error where the kernel allows no
 * program in memory and we may not mount.
 */
export function programFile(name: string, content: Uint8Array): number {
  try {
    return inMemory(name, content)
  } catch (error) {
    if (codeOf(error) !== 'EACCES') throw error // vm.memfd_noexec = 2
  }
  try {
    return onReadOnlyMount(name, content)
  } catch (error) {
    if (codeOf(error) !== 'EPERM') throw error
    throw new MinilabError(
      'machine',
      'this machine forbids programs in memory (vm.memfd_noexec = 2), and a container starts as one',
      'run it as root, which may mount instead, or: sudo sysctl vm.memfd_noexec=1',
    )
  }
}

function inMemory(name: string, content: Uint8Array): number {
  const fd = memoryFile(name, 'program')
  return orClose(fd, () => {
    writeSync(fd, content)
    fchmodSync(fd, EXECUTABLE)
    seal(fd)
    return fd
  })
}

/**
 * The same on a tmpfs that is attached nowhere: fsopen(2), fsmount(2). In the end the whole file system is made read-only, not only
 * this mount of it: that takes back who has CAP_SYS_ADMIN in our user namespace, and a container has not. It lives as long as the descriptor
 * and the processes that execute it.
 */
function onReadOnlyMount(name: string, content: Uint8Array): number {
  using system = closing(now.fsopen('tmpfs', FSOPEN_CLOEXEC))
  now.fsconfig(system.fd, FSCONFIG_CMD_CREATE, null, null, 0)
  using mount = closing(now.fsmount(system.fd, FSMOUNT_CLOEXEC, 0))
  const path = `/proc/self/fd/${mount.fd}/${name}`
  {
    using file = openFile(path, 'wx')
    writeSync(file.fd, content)
    fchmodSync(file.fd, EXECUTABLE)
  }
  now.fsconfig(system.fd, FSCONFIG_SET_FLAG, 'ro', null, 0)
  now.fsconfig(system.fd, FSCONFIG_CMD_RECONFIGURE, null, null, 0)
  return now.openat(mount.fd, name, O_PATH | O_CLOEXEC, 0)
}
