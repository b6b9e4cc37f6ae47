import type { BigIntStats } from 'node:fs'
import { AT_FDCWD, S_IFCHR } from '../kernel/syscalls/constants.ts'
import { now } from '../kernel/syscalls/now.ts'
import { codeOf } from '../common/error-code.ts'
import { writeXattr } from './xattr.ts'

// How overlayfs marks in an upper directory that something in a lower one is gone. Source:
// Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories". Its extended attributes are trusted.overlay.*,
// or user.overlay.* if it was mounted with `userxattr`, which a user namespace must use

const isOverlays = (xattr: string, key = '') =>
  /^(trusted|user)\.overlay\./.test(xattr) && xattr.endsWith(key)
const YES = Buffer.from('y')

/** Whether a file is a whiteout, which hides the lower file of the same name: a character device 0:0. */
export function isWhiteout(stat: BigIntStats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0n
}

/** Makes a whiteout; needs no privilege (mknod(2), since Linux 5.8). */
export function makeWhiteout(path: string): void {
  now.mknodat(AT_FDCWD, path, S_IFCHR, 0)
}

/** Whether a directory hides the content of the lower one of the same name. */
export function isOpaque(xattrs: Map<string, Buffer>): boolean {
  return [...xattrs].some(([name, value]) => isOverlays(name, '.opaque') && value.equals(YES))
}

/**
 * Makes a directory opaque for every overlay that may be mounted on it: the machine's root reads `trusted`, and an overlay that
 * a user namespace mounts (ours, also as root) reads only `user`. Throws the SyscallError if neither can be set.
 */
export function makeOpaque(path: string): void {
  const refused = ['trusted', 'user'].flatMap(form => {
    try {
      writeXattr(path, `${form}.overlay.opaque`, YES)
      return []
    } catch (error) {
      if (!['EPERM', 'EOPNOTSUPP'].includes(codeOf(error) ?? '')) throw error
      return [error]
    }
  })
  if (refused.length === 2) throw refused[1]
}

/** The attribute saying that part of this file is still in a lower layer (redirect_dir, metacopy); undefined if there is none. */
export function leansOnLower(xattrs: Map<string, Buffer>): string | undefined {
  return [...xattrs.keys()].find(name => isOverlays(name, '.redirect') || isOverlays(name, '.metacopy'))
}

/**
 * Whether an extended attribute belongs to the file and is kept in a layer. overlayfs's own do not: elsewhere they mean nothing
 * or, in an untrusted layer, do harm. Nor do the labels that a security module sets on each machine.
 */
export function belongsToFile(xattr: string): boolean {
  return !isOverlays(xattr) && !/^security\.(selinux|ima|evm|SMACK)/.test(xattr)
}
