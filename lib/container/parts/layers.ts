import { chmodSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { dataFolder, makeDir } from '../../image/data-folder.ts'
import { useOtherFolder } from '../../image/other-folder.ts'
import { MinilabError } from '../../common/errors.ts'
import { SyscallError } from '../../kernel/syscalls/syscall-error.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Container, Part } from '../part.ts'
import { has } from '../spec.ts'

/**
 * Chapter 5. The root file system as a stack of layers: the image's layers below, read-only and shared by all its containers,
 * and the container's own layer on top, which receives every write.
 */
export const layers: Part = {
  name: 'layers',

  prepare({ layers, rootfs, ledger }) {
    if (!layers) return
    const folder = notedFolder(layers, ledger)
    // the mode of upper's top directory is the mode of the container's "/"
    for (const path of [join(folder, 'upper'), join(folder, 'work'), rootfs]) makeFolder(path, 0o755)
  },

  /** The mount is made in the container's own mount namespace: it never exists on the host, and goes with the container. */
  inside(tape, container) {
    if (container.layers) tape.mount('overlay', container.rootfs, 'overlay', 0, overlayOptions(container))
  },
}

/** Makes and records the folder for a container's own directories. */
export function notedFolder({ folder, keep }: NonNullable<Container['layers']>, ledger: Ledger): string {
  // without --rm, `minilab run` keeps what was written; `minilab rm` removes it
  ledger.add({ kind: 'folder', path: folder, ...(keep && { unless: 'state.json' }) })
  // other users of the host must not reach setuid files in there
  makeFolder(folder, 0o700)
  return folder
}

function makeFolder(path: string, mode: number): void {
  makeDir(path)
  chmodSync(path, mode) // whatever the umask
}

const PAGE = 4096
const OVERLAYFS_SUPER_MAGIC = 0x794c7630 // statfs(2)

/** The options of an overlay mount: Documentation/filesystems/overlayfs.rst. Throws a usage error if there are too many layers. */
export function overlayOptions({ layers, spec }: Container): string {
  const { lower, folder } = layers ?? { lower: [], folder: '' }
  const options = [
    `lowerdir=${lower.map(escape).join(':')}`, // topmost first
    `upperdir=${escape(join(folder, 'upper'))}`,
    `workdir=${escape(join(folder, 'work'))}`, // scratch space on the same file system as upper
    // trusted.overlay.* attributes need real root; in a user namespace overlay uses user.overlay.*
    ...(has(spec, 'user') ? ['userxattr'] : ['redirect_dir=off', 'metacopy=off']), // upper must be a complete layer by itself
  ].join(',')
  // mount(2): data is at most one page; the kernel cuts off the rest
  if (Buffer.byteLength(options) < PAGE) return options
  throw new MinilabError(
    'usage',
    `the paths of ${lower.length} layers do not fit into the options of one mount (${PAGE} bytes)`,
    'set MINILAB_DATA to a folder with a shorter name, or import the image as one layer',
  )
}

/** A colon separates lower layers and a comma options: in a path, either needs a backslash. */
function escape(path: string): string {
  return path.replace(/[\\:,]/g, '\\$&')
}

const isOverlayMount = ({ call, args }: SyscallError) => call === 'mount' && args.startsWith('"overlay"')

/** The reason if an overlay mount was refused because our data folder lies on an overlay; undefined for any other error. */
export function liesOnOverlay(error: SyscallError): MinilabError<'machine'> | undefined {
  const folder = dataFolder()
  // fs/overlayfs/super.c, ovl_mount_dir_check(): "filesystem on … not supported as upperdir"
  if (!isOverlayMount(error) || error.code !== 'EINVAL' || statfsSync(folder).type !== OVERLAYFS_SUPER_MAGIC)
    return undefined
  return new MinilabError(
    'machine',
    `${folder} is itself on an overlay (are we in a container?), and an overlay cannot hold an upper directory`,
    useOtherFolder(),
  )
}

/**
 * The reason why a container with layers could not be started: a MinilabError (limited) if the error says that overlay
 * is not available here; undefined for any other error.
 */
export function overlayRefused(error: unknown): MinilabError<'limited'> | undefined {
  const here = error instanceof Error && error.cause instanceof SyscallError && liesOnOverlay(error.cause)
  if (here) return new MinilabError('limited', here.message, here.remedy)
  if (!(error instanceof SyscallError) || !isOverlayMount(error)) return undefined
  if (error.code === 'EPERM')
    return new MinilabError(
      'limited',
      'the kernel does not allow an overlay in a user namespace: it is older than Linux 5.11, or a security module forbids it',
      'use Linux 5.11 or later, and run outside a container',
    )
  return new MinilabError(
    'limited',
    error.diagnosis?.cause ?? error.message,
    error.diagnosis?.remedy ?? 'dmesg | tail says more',
  )
}
