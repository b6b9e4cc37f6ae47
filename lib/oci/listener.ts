import { errnoMeaning } from '../common/errno.ts'
import { MinilabError } from '../common/errors.ts'
import type { Seccomp } from '../container/seccomp/seccomp-profile.ts'
import { SyscallError } from '../kernel/syscalls/syscall-error.ts'
import { connectTo, sendDescriptor } from './send-descriptor.ts'
import { described, type State } from './state.ts'

/**
 * Sends a listener of seccomp(2) to the program that decides about the calls, with the process that makes them and the container's state:
 * runtime-spec config-linux.md, "The Container Process State". `pid`: that process.
 */
export function sendListener(
  { listenerPath = '', listenerMetadata }: Seccomp,
  state: State,
  status: 'creating' | 'running',
  pid: number,
  listener: number,
): void {
  using socket = agent(listenerPath)
  const message = {
    ociVersion: state.ociVersion,
    fds: ['seccompFd'],
    pid,
    ...(listenerMetadata && { metadata: listenerMetadata }),
    state: described(state, status),
  }
  sendDescriptor(socket, JSON.stringify(message), listener)
}

function agent(path: string) {
  try {
    return connectTo(path)
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error
    throw new MinilabError(
      'usage',
      `failed to connect with seccomp agent specified in the seccomp profile: ${path}: ${errnoMeaning(error.errno)}`,
      'start the program that listens there, or correct linux.seccomp.listenerPath',
    )
  }
}
