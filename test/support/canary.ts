import { createHash } from 'node:crypto'
import { type BigIntStats, readFileSync, readlinkSync } from 'node:fs'
import { walk } from '../../lib/image/tree.ts'

/** All that can be known of a tree, byte for byte, with the times at which inodes changed: equal means untouched. */
export function snapshot(dir: string): Record<string, string> {
  return Object.fromEntries(Array.from(walk(dir), ({ path, at, stat }) => [path, describe(at, stat)]))
}

function describe(at: string, stat: BigIntStats): string {
  const { mode, uid, gid, size, nlink, rdev, mtimeNs, ctimeNs } = stat
  const content = stat.isFile()
    ? createHash('sha256').update(readFileSync(at)).digest('hex')
    : stat.isSymbolicLink()
      ? readlinkSync(at)
      : ''
  return [mode.toString(8), uid, gid, size, nlink, rdev, mtimeNs, ctimeNs, content].join(' ')
}
