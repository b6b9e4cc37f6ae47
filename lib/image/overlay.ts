import type { BigIntStats } from 'node:fs'
import { AT_FDCWD, S_IFCHR } from '../kernel/syscalls/constants.ts'
import { now } from '../kernel/syscalls/now.ts'
import { codeOf } from '../common/error-code.ts'
import { writeXattr } from './xattr.ts'

// How overlayfs writes down, in an upper directory, that something of a lower one is gone. Source:
// Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories". Its extended attributes are
// trusted.overlay.*, or user.overlay.* where it was mounted with `userxattr` (the only form a user namespace can use).

const isOverlays = (xattr: string, key = '') =>
  /^(trusted|user)\.overlay\./.test(xattr) && xattr.endsWith(key)
const YES = Buffer.from('y')

/** A name that hides the lower one of the same name: a character device 0:0. */
export function isWhiteout(stat: BigIntStats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0n
}

/** Makes a whiteout; needs no privilege (mknod(2), since Linux 5.8). */
export function makeWhiteout(path: string): void {
  now.mknodat(AT_FDCWD, path, S_IFCHR, 0)
}

/** A directory that shows nothing of the lower one of the same name. */
export function isOpaque(xattrs: Map<string, Buffer>): boolean {
  return [...xattrs].some(([name, value]) => isOverlays(name, '.opaque') && value.equals(YES))
}

/**
 * Makes a directory opaque for every overlay that may be mounted on it: `trusted` is root's alone, and what a user
 * namespace mounts (ours, as root too) looks for `user` only. Throws the SyscallError where neither form is taken.
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

/** The attribute, if there is one, which says that part of this file is still in a lower layer (redirect_dir, metacopy). */
export function leansOnLower(xattrs: Map<string, Buffer>): string | undefined {
  return [...xattrs.keys()].find(name => isOverlays(name, '.redirect') || isOverlays(name, '.metacopy'))
}

/**
 * Whether an extended attribute is the file's own, to be kept in a layer: not overlayfs's notes, which mean nothing
 * (or, from a stranger's layer, harm) elsewhere, and not the labels that a security module gives on each machine.
 */
export function belongsToFile(xattr: string): boolean {
  return !isOverlays(xattr) && !/^security\.(selinux|ima|evm|SMACK)/.test(xattr)
}
