import { certain } from '../common/certain.ts'
import type { MountView, Process } from './snapshot-shape.ts'

/** A line of a tree: its item, and the branch drawn before it (`│  ├─ `). */
export interface Row<T> {
  branch: string
  node: T
}

/** A tree as lines, each with its branch drawn. */
function rows<T extends { children: T[] }>(roots: readonly T[], before = '', top = true): Row<T>[] {
  return roots.flatMap((node, i) => {
    const last = i === roots.length - 1
    const branch = top ? '' : before + (last ? '└─ ' : '├─ ')
    const under = top ? '' : before + (last ? '   ' : '│  ')
    return [{ branch, node }, ...rows(node.children, under, false)]
  })
}

/** Processes as at most `most` lines; `left` says how many more there are. */
export function processRows(
  roots: readonly Process[],
  most: number,
): { shown: Row<Process>[]; left: number } {
  const all = rows(roots)
  return all.length <= most
    ? { shown: all, left: 0 }
    : { shown: all.slice(0, most - 1), left: all.length - most + 1 }
}

/** A mount as it is drawn; or several in one line, so that they do not hide the rest. */
export interface MountLine {
  id: number
  target: string
  type: string
  flags: string
  children: MountLine[]
}

const TELLING = new Set(['ro', 'nosuid', 'nodev', 'noexec'])
const FEW = 3 // below the first level, more mounts in one directory than this are drawn in one line
const MANY = 14 // and on the first level more than this

/** The mounts as lines. The masked and read-only paths of /proc are one line, and the device files of /dev another. */
export function mountRows(roots: readonly MountView[]): Row<MountLine>[] {
  return rows(roots.map(mount => mountLine(mount, 0)))
}

function mountLine(
  { id, target, type, root, flags, covered, children }: MountView,
  depth: number,
): MountLine {
  const leaves = children.filter(child => child.children.length === 0)
  const many = leaves.length > (depth === 0 ? MANY : FEW)
  const first = depth === 0 ? MANY : 0
  const single = many ? children.filter(child => !leaves.slice(first).includes(child)) : children
  const rest = many ? leaves.slice(first) : []
  return {
    id,
    target,
    // a bind mount shows only a part of its file system: name it
    type: root === '/' || type === 'overlay' ? type : `${type} ${root}`,
    flags: [...flags.filter(flag => TELLING.has(flag)), ...(covered ? ['covered'] : [])].join(' '),
    children: [
      ...single.map(child => mountLine(child, depth + 1)),
      ...(rest.length ? [together(target, rest)] : []),
    ],
  }
}

function together(target: string, mounts: MountView[]): MountLine {
  const names = mounts.map(mount => mount.target.slice(target === '/' ? 1 : target.length + 1))
  return {
    id: certain(mounts[0]).id,
    target: `${mounts.length} more: ${names.join(', ')}`,
    type: [...new Set(mounts.map(({ type }) => type))].join(', '),
    flags: '',
    children: [],
  }
}
