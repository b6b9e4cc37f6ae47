import { lstatSync, mkdirSync, readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { makeFolder, type Part, readXattrs } from 'minilab'

export const layers: Part = {
  name: 'layers',

  prepare(container) {
    if (!container.layers) return
    const { folder } = container.layers
    makeFolder(container)
    for (const path of [join(folder, 'upper'), join(folder, 'work'), container.rootfs]) mkdirSync(path)
  },

  inside(tape, { layers, rootfs }) {
    if (!layers) return
    const options = [
      `lowerdir=${layers.lower.map(escape).join(':')}`,
      `upperdir=${escape(join(layers.folder, 'upper'))}`,
      `workdir=${escape(join(layers.folder, 'work'))}`,
      'userxattr', // a user namespace may write user.* attributes, and no trusted.*
    ]
    tape.mount('overlay', rootfs, 'overlay', 0, options.join(','))
  },
}

/** A colon separates layers and a comma options: in a path, a backslash comes before them. */
const escape = (path: string) => path.replace(/[\\:,]/g, '\\$&')

export function changes(upper: string, image: string): string[] {
  return changesIn(upper, image, '', false)
}

/** The changes in one directory; `image` is undefined where the image has no directory at this path. */
function changesIn(upper: string, image: string | undefined, path: string, hidden: boolean): string[] {
  const opaque = hidden || isOpaque(upper)
  const names = readdirSync(upper)
  const old = image === undefined ? [] : readdirSync(image)
  // upper does not mention what an opaque directory hides
  const lines = opaque ? old.filter(name => !names.includes(name)).map(name => `D ${path}/${name}`) : []
  for (const name of names) {
    const above = join(upper, name)
    const below = image !== undefined && old.includes(name) ? join(image, name) : undefined
    const merged = isDirectory(above) && below !== undefined && isDirectory(below)
    if (isWhiteout(above)) lines.push(`D ${path}/${name}`)
    else if (!merged) lines.push(`${below ? 'C' : 'A'} ${path}/${name}`)
    if (isDirectory(above))
      lines.push(...changesIn(above, merged ? below : undefined, `${path}/${name}`, opaque))
  }
  return lines
}

export function tarNames(upper: string, path: string): string[] {
  const at = join(upper, path)
  if (isWhiteout(at)) return [join(dirname(path), `.wh.${basename(path)}`)]
  if (!isDirectory(at)) return [path]
  return isOpaque(at) ? [`${path}/`, `${path}/.wh..wh..opq`] : [`${path}/`]
}

/** A symbolic link is not a directory, wherever it leads. */
const isDirectory = (path: string) => lstatSync(path).isDirectory()

/** overlayfs.rst: a character device 0:0 hides the entry of the same name below. */
function isWhiteout(path: string): boolean {
  const stat = lstatSync(path)
  return stat.isCharacterDevice() && stat.rdev === 0
}

/** overlayfs.rst: a directory with this attribute hides everything in the directory below. */
function isOpaque(path: string): boolean {
  return readXattrs(path).get('user.overlay.opaque')?.toString() === 'y'
}
