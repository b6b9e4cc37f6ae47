import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Container, Part } from './part.ts'
import { has } from './spec.ts'

/**
 * Chapter 5. The root file system as a stack of layers: the image's below, read-only and shared by all its containers,
 * and one of the container's own on top, which takes every write.
 */
export const layers: Part = {
  name: 'layers',

  prepare({ layers, rootfs, ledger }) {
    if (!layers) return
    ledger.add({ kind: 'folder', path: layers.folder })
    for (const folder of [join(layers.folder, 'upper'), join(layers.folder, 'work'), rootfs])
      mkdirSync(folder, { recursive: true, mode: 0o755 })
  },

  /** The mount is made in the container's own mount namespace: it was never on the host, and goes with the container. */
  inside(tape, container) {
    if (container.layers) tape.mount('overlay', container.rootfs, 'overlay', 0, overlayOptions(container))
  },
}

/** The options of an overlay mount: Documentation/filesystems/overlayfs.rst. */
function overlayOptions({ layers, spec }: Container): string {
  const { lower, folder } = layers ?? { lower: [], folder: '' }
  const options = [
    `lowerdir=${lower.map(escape).join(':')}`, // topmost first
    `upperdir=${escape(join(folder, 'upper'))}`,
    `workdir=${escape(join(folder, 'work'))}`, // scratch space on the same file system as upper
  ]
  // trusted.overlay.* attributes need real root; in a user namespace overlay keeps its notes in user.overlay.*
  if (has(spec, 'user')) options.push('userxattr')
  return options.join(',')
}

/** A colon separates lower layers and a comma options: either one in a path needs a backslash. */
function escape(path: string): string {
  return path.replace(/[\\:,]/g, '\\$&')
}
