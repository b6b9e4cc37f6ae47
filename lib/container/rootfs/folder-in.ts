import { closing, type Descriptor } from '../../common/descriptor.ts'
import {
  AT_FDCWD,
  OPEN_HOW_SIZE,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from '../../kernel/syscalls/constants.ts'
import { now } from '../../kernel/syscalls/now.ts'
import { SyscallError } from '../../kernel/syscalls/syscall-error.ts'

/** The directory that a path leads to if the tree is "/". Undefined if it leads to none, or if that cannot be found out. */
export function folderIn(tree: string, path: string): Descriptor | undefined {
  const how = { flags: O_PATH | O_DIRECTORY | O_CLOEXEC, resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS }
  try {
    using root = closing(now.openat(AT_FDCWD, tree, O_PATH | O_DIRECTORY | O_CLOEXEC, 0))
    return closing(now.openat2(root.fd, path || '.', how, OPEN_HOW_SIZE))
  } catch (error) {
    if (error instanceof SyscallError) return undefined
    throw error
  }
}
