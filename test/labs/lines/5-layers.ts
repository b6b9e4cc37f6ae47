/** The lines of labs/5-layers/solution.ts that answers change. */

export const FS = "import { lstatSync, mkdirSync, readdirSync } from 'node:fs'\n"
export const MAKE = '    makeFolder(container)\n'
export const MKDIR =
  "    for (const path of [join(folder, 'upper'), join(folder, 'work'), container.rootfs]) mkdirSync(path)\n"
export const MOUNT = "    tape.mount('overlay', rootfs, 'overlay', 0, options.join(','))\n"
export const WORK = "escape(join(layers.folder, 'work'))"
export const ESCAPE = "const escape = (path: string) => path.replace(/[\\\\:,]/g, '\\\\$&')\n"
export const CHANGES = "  return changesIn(upper, image, '', false)\n"
export const LISTED = "    else if (!merged) lines.push(`${below ? 'C' : 'A'} ${path}/${name}`)\n"
export const IS_WHITEOUT = '  return stat.isCharacterDevice() && stat.rdev === 0\n'
export const IS_OPAQUE = "  return readXattrs(path).get('user.overlay.opaque')?.toString() === 'y'\n"
export const WHITEOUT_NAME = '  if (isWhiteout(at)) return [join(dirname(path), `.wh.${basename(path)}`)]\n'
