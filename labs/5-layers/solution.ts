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

export function changes(upper: string, image: string, directory = '', hidden = false): string[] {
  const opaque = hidden || isOpaque(join(upper, directory))
  const here = readdirSync(join(upper, directory))
  const old = isDirectory(join(image, directory)) ? readdirSync(join(image, directory)) : []
  // upper says nothing of what an opaque directory hides
  const found = opaque
    ? old.filter(name => !here.includes(name)).map(name => `D /${join(directory, name)}`)
    : []
  for (const name of here) {
    const path = join(directory, name)
    const [above, below] = [join(upper, path), join(image, path)]
    if (isWhiteout(above)) found.push(`D /${path}`)
    else if (!isDirectory(above) || !isDirectory(below))
      found.push(`${old.includes(name) ? 'C' : 'A'} /${path}`)
    if (isDirectory(above)) found.push(...changes(upper, image, path, opaque))
  }
  return found
}

export function tarNames(upper: string, path: string): string[] {
  const at = join(upper, path)
  if (isWhiteout(at)) return [join(dirname(path), `.wh.${basename(path)}`)]
  if (!isDirectory(at)) return [path]
  return isOpaque(at) ? [`${path}/`, `${path}/.wh..wh..opq`] : [`${path}/`]
}

/** A link is none, wherever it leads. */
const isDirectory = (path: string) => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false

/** overlayfs.rst: a character device 0:0 hides what has its name below. */
function isWhiteout(path: string): boolean {
  const stat = lstatSync(path)
  return stat.isCharacterDevice() && stat.rdev === 0
}

/** overlayfs.rst: a directory with this attribute hides all that is in the one below. */
function isOpaque(path: string): boolean {
  return readXattrs(path).get('user.overlay.opaque')?.toString() === 'y'
}
