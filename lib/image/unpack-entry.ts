import {
  chmodSync,
  constants,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { posix } from 'node:path'
import type { Header } from 'tar-stream'
import { openFile } from '../common/descriptor.ts'
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, S_IFBLK, S_IFCHR, S_IFIFO } from '../kernel/syscalls/constants.ts'
import { MinilabError } from '../common/errors.ts'
import { now } from '../kernel/syscalls/now.ts'
import { type Confined, insidePath, shown } from './confined.ts'
import { codeOf } from '../common/error-code.ts'
import { fileError } from './error.ts'
import { belongsToFile, makeOpaque, makeWhiteout } from './overlay.ts'
import { AUFS, OPAQUE, WHITEOUT, xattrOf } from './tar-names.ts'
import { deviceNumber, removeTree } from './tree.ts'
import { writeXattr } from './xattr.ts'

// linux/limits.h
const XATTR_NAME_MAX = 255
const XATTR_SIZE_MAX = 65536
const MAKE_AGAIN = 'download or make it again'

/** The bytes of an entry, as tar-stream gives them. */
export type Content = AsyncIterable<Uint8Array> & { resume(): unknown }

/** One tar on its way into one tree. */
export class Unpacking {
  /** what could not be stored, one line each */
  readonly notes = new Set<string>()
  readonly #tree: Confined
  readonly #overlay: boolean
  /**
   * directories whose owner, mode and time are set last: making files inside changes the time, and may need more rights than
   * the mode gives
   */
  readonly #directories = new Map<string, Header>()
  /** whiteouts hide only lower layers, never a file of this layer, whichever comes first in the tar: so they are made last too */
  readonly #whiteouts = new Set<string>()

  constructor(tree: Confined, overlay: boolean) {
    this.#tree = tree
    this.#overlay = overlay
  }

  async add(header: Header, content: Content): Promise<void> {
    const path = insidePath(header.name)
    try {
      if (header.type !== 'file' && header.type !== 'contiguous-file') content.resume()
      if (posix.basename(path).startsWith(WHITEOUT)) {
        content.resume()
        if (this.#overlay) this.#whiteouts.add(path)
      } else if (header.type === 'directory') this.#addDirectory(path, header)
      else await this.#addOther(path, header, content)
    } catch (error) {
      throw entryError(path, error)
    }
  }

  /** Does the postponed work: whiteouts, then the directories' attributes, innermost first. */
  finish(): void {
    for (const path of this.#whiteouts) {
      try {
        this.#hide(posix.dirname(path), posix.basename(path))
      } catch (error) {
        throw entryError(path, error)
      }
    }
    const deepestFirst = [...this.#directories].sort(([a], [b]) => (a < b ? 1 : -1))
    for (const [path, header] of deepestFirst) {
      const at = this.#tree.at(path)
      // a later entry may have replaced the directory, and chmod(2) would follow a link
      if (lstatSync(at, { throwIfNoEntry: false })?.isDirectory()) this.#setAttributes(at, header)
    }
    if (!this.#directories.has('')) chmodSync(this.#tree.at(''), 0o755)
  }

  #addDirectory(path: string, header: Header): void {
    const at = this.#tree.at(path, true)
    const existing = lstatSync(at, { throwIfNoEntry: false })
    if (!existing?.isDirectory()) {
      if (existing) unlinkSync(at)
      mkdirSync(at, 0o700)
    }
    this.#directories.set(path, header)
  }

  async #addOther(path: string, header: Header, content: Content): Promise<void> {
    if (path === '')
      throw new MinilabError('usage', 'an entry of the tar would replace the whole tree', MAKE_AGAIN)
    const at = this.#clear(path)
    const linkname = header.linkname ?? ''
    switch (header.type) {
      case 'file':
      case 'contiguous-file':
        if (header.pax && Object.keys(header.pax).some(key => key.startsWith('GNU.sparse.'))) break
        await writeNew(at, content)
        return this.#setAttributes(at, header)
      case 'link':
        return this.#addLink(at, path, insidePath(linkname))
      case 'symlink':
        if (/[\0\uFFFD]/.test(linkname)) break
        symlinkSync(linkname, at)
        return this.#setAttributes(at, header)
      case 'fifo':
      case 'character-device':
      case 'block-device':
        if (this.#makeNode(at, path, header)) this.#setAttributes(at, header)
        return
    }
    throw new MinilabError(
      'usage',
      `${shown(path)}: a type of entry that layers do not have`,
      'make the tar again, without --sparse',
    )
  }

  /** Removes what an earlier entry of the same name made: the last entry counts. */
  #clear(path: string): string {
    const at = this.#tree.at(path, true)
    const existing = lstatSync(at, { throwIfNoEntry: false })
    if (!existing?.isDirectory()) {
      if (existing) unlinkSync(at)
      return at
    }
    removeTree(at)
    this.#tree.forget()
    for (const key of this.#directories.keys())
      if (key === path || key.startsWith(`${path}/`)) this.#directories.delete(key)
    return this.#tree.at(path, true)
  }

  /** Applies a whiteout in overlayfs's form. If this layer has a directory of the hidden name, makes that opaque instead. */
  #hide(dir: string, name: string): void {
    if (name === OPAQUE) return makeOpaque(this.#tree.at(`${dir}/.`, true))
    if (name.startsWith(AUFS)) return
    const hidden = name.slice(WHITEOUT.length)
    if (['', '.', '..'].includes(hidden))
      throw new MinilabError('usage', `a whiteout of ${shown(hidden)} in the tar`, MAKE_AGAIN)
    const at = this.#tree.at(posix.join(dir, hidden), true)
    const existing = lstatSync(at, { throwIfNoEntry: false })
    if (!existing) makeWhiteout(at)
    else if (existing.isDirectory()) makeOpaque(at)
  }

  #addLink(at: string, path: string, target: string): void {
    try {
      linkSync(this.#tree.at(target), at) // link(2) does not follow a link in the last name
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      throw new MinilabError(
        'usage',
        `${shown(path)}: a hard link to ${shown(target)}, which is not in this tar`,
        MAKE_AGAIN,
      )
    }
  }

  #makeNode(at: string, path: string, { type, devmajor, devminor }: Header): boolean {
    const kind = type === 'fifo' ? S_IFIFO : type === 'block-device' ? S_IFBLK : S_IFCHR
    const device = type === 'fifo' ? 0 : deviceNumber(devmajor, devminor)
    return this.#allowed(`${shown(path)}: device ${devmajor}:${devminor} left out`, ['EPERM'], () =>
      now.mknodat(AT_FDCWD, at, kind | 0o600, device),
    )
  }

  #setAttributes(at: string, header: Header): void {
    const pax = (header.pax ?? {}) as Record<string, string>
    // in this order, because chown(2) clears capabilities and the setuid bit, and chmod(2) may take away the write access that
    // user.* needs
    if (process.geteuid?.() === 0) {
      const [uid = 0, gid = 0] = [pax.uid ?? header.uid, pax.gid ?? header.gid].map(id => Number(id) || 0)
      this.#allowed(
        `owner ${uid}:${gid} has no id in this user namespace; such files belong to you`,
        ['EINVAL', 'EPERM'],
        () => lchownSync(at, uid, gid),
      )
    }
    for (const [key, record] of Object.entries(pax)) {
      const xattr = xattrOf(key, record)
      if (!xattr || !belongsToFile(xattr.name)) continue
      const { name, value } = xattr
      if (name.length > XATTR_NAME_MAX || (value?.length ?? 0) > XATTR_SIZE_MAX)
        throw new MinilabError(
          'usage',
          'an extended attribute in the tar is larger than Linux allows',
          MAKE_AGAIN,
        )
      if (value === null) this.notes.add(`extended attribute ${shown(name)} left out where it is not text`)
      else
        this.#allowed(`extended attribute ${shown(name)} left out`, ['EPERM', 'EOPNOTSUPP'], () =>
          writeXattr(at, name, value),
        )
    }
    if (header.type !== 'symlink') chmodSync(at, header.mode & 0o7777)
    const mtime = nanoseconds(pax.mtime ?? String(header.mtime.getTime() / 1000))
    now.utimensat(AT_FDCWD, at, [mtime, mtime], AT_SYMLINK_NOFOLLOW)
  }

  /** Whether the call was allowed. An error that means missing privilege (one of `codes`) becomes a note. */
  #allowed(note: string, codes: string[], call: () => void): boolean {
    try {
      call()
      return true
    } catch (error) {
      const code = codeOf(error)
      if (!code || !codes.includes(code)) throw error
      this.notes.add(`${note} (${code})`)
      return false
    }
  }
}

function entryError(path: string, error: unknown): unknown {
  return ['ENOTDIR', 'EEXIST', 'ELOOP'].includes(codeOf(error) ?? '')
    ? new MinilabError('usage', `${shown(path)}: something other than a directory is in its way`, MAKE_AGAIN)
    : fileError(`unpack ${shown(path)}`, error)
}

async function writeNew(path: string, content: Content): Promise<void> {
  using file = openFile(
    path,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  )
  for await (const chunk of content) writeFileSync(file.fd, chunk)
}

/** A PAX time (decimal seconds since 1970) in nanoseconds; 0 if it is earlier, or not a number. */
function nanoseconds(time: string): bigint {
  const [, seconds = '0', fraction = ''] = /^(\d+)(?:\.(\d+))?/.exec(time) ?? []
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'))
}
