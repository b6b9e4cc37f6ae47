import { basename, dirname, join } from 'node:path'
import { treeDigest, type TreeEntry } from '../../lib/image/tree-digest.ts'
import { readXattrs } from '../../lib/image/xattr.ts'
import type { Files } from './changed.ts'

// What a wrong list of changes did not take into account. The first cause that fits is reported.

interface Listed {
  /** the missing lines, and the superfluous ones */
  lacking: readonly string[]
  more: readonly string[]
  listed: readonly string[]
  upper: string
  /** what the functions saw in upper, by path */
  entries: Entries
  /** what the image has, and what the container sees */
  image: Files
  root: Files
}

interface Line extends Listed {
  line: string
  mark: string
  path: string
  /** what upper has at this path */
  entry: TreeEntry | undefined
}

export type Rule<Of> = (of: Of) => string | false | undefined

export function whyChanges(of: Listed): string {
  const rows = (lines: readonly string[]) =>
    lines.map((line): Line => {
      const path = line.slice(3)
      return { ...of, line, mark: line[0] ?? '', path, entry: of.entries.get(path) }
    })
  return (
    firstOf(FORM, rows(of.listed)) ??
    firstOf(SURPLUS, rows(of.more)) ??
    firstOf(LACKING, rows(of.lacking)) ??
    ''
  )
}

export function firstOf<Of>(rules: readonly Rule<Of>[], rows: readonly Of[]): string | undefined {
  for (const rule of rules)
    for (const row of rows) {
      const found = rule(row)
      if (found) return found
    }
  return undefined
}

export type Entries = ReadonlyMap<string, TreeEntry>
export const entriesOf = (dir: string): Entries =>
  new Map(treeDigest(dir).entries.map(entry => [entry.path, entry]))

/** The directories that a path leads through, nearest first. */
const above = (path: string): string[] => (path.includes('/') ? [dirname(path), ...above(dirname(path))] : [])

export const WHITEOUT = 'a whiteout is a character device 0:0'
export const kindOf = ({ type, rdev = '' }: TreeEntry) => `${type.replace('-', ' ')} ${rdev}`.trim()

/** How a line is written. */
const FORM: Rule<Line>[] = [
  ({ line }) =>
    !/^[ACD] [^ ]/.test(line) &&
    `“${line}” does not begin with A, C or D and one space, followed by the path.`,
  ({ line, upper }) =>
    line.includes(upper) && `“${line}” has a path of the host in it: a path begins at the container's root.`,
  ({ line }) => !line.startsWith('/', 2) && `“${line}” has no slash at the beginning of the path.`,
  ({ line, path }) => path === '' && `“${line}” is the container's root, a directory that both have.`,
  ({ line }) => line.endsWith('/') && `“${line}” ends with a slash: paths of directories do not.`,
  ({ line }) =>
    /\/\.?\//.test(line) && `The path in “${line}” has more than names and the slashes between them.`,
]

/** Whether a directory has the attribute of an opaque directory, but is not opaque. */
const isMarked = (upper: string, entries: Entries, dir: string) =>
  entries.get(dir)?.opaque === undefined &&
  entries.get(dir)?.type === 'directory' &&
  readXattrs(join(upper, dir)).has('user.overlay.opaque')

/** Lines that should not be in the list. */
const SURPLUS: Rule<Line>[] = [
  ({ line, listed }) =>
    listed.indexOf(line) !== listed.lastIndexOf(line) && `“${line}” is in the list twice.`,
  ({ mark, path, entry }) =>
    mark === 'D' &&
    entry?.type === 'directory' &&
    `/${path} is in upper as a directory, so it was not deleted: ${WHITEOUT}.`,
  ({ path, entries }) => {
    const link = above(path).find(dir => entries.get(dir)?.type === 'symlink')
    return (
      link &&
      `/${link} is a symbolic link, and it was followed (\`recursive\` of readdirSync does that, too). What a link leads to is not in this layer.`
    )
  },
  ({ path, image }) => {
    const link = above(path).find(dir => image.get(dir)?.type === 'symlink')
    return (
      link && `In the image /${link} is a symbolic link, and it was followed: the image has nothing below it.`
    )
  },
  ({ mark, entry }) =>
    mark !== 'D' &&
    entry?.rdev === '0:0' &&
    `/${entry.path} is a whiteout: a character device 0:0 says that this name was deleted.`,
  ({ mark, entry }) =>
    mark === 'D' &&
    entry?.type === 'symlink' &&
    `/${entry.path} is a symbolic link, and the link itself counts (\`lstatSync\`): ${WHITEOUT}.`,
  ({ mark, entry }) =>
    mark === 'D' &&
    entry?.size === 0 &&
    `/${entry.path} is an empty file, so it was not deleted: ${WHITEOUT}.`,
  ({ mark, entry, path }) =>
    mark === 'D' &&
    entry &&
    `/${path} is in upper as a ${kindOf(entry)}, so it was not deleted: ${WHITEOUT}.`,
  ({ mark, path, more, upper, entries }) => {
    const marked = (line: string) => above(line.slice(3)).find(dir => isMarked(upper, entries, dir))
    return (
      mark === 'D' &&
      more.every(marked) &&
      `/${marked(`D /${path}`)} is not opaque, though it has the attribute: only the value y means opaque.`
    )
  },
  ({ mark, path, root }) =>
    mark === 'D' &&
    root.has(path) &&
    `/${path} is still visible in the container. Only an opaque directory hides what the image has in it.`,
  ({ mark, path, root }) => {
    const gone = above(path).findLast(dir => root.get(dir)?.type !== 'directory')
    return (
      mark === 'D' && gone && `/${path} was deleted together with /${gone}, and only /${gone} gets a line.`
    )
  },
  ({ mark, path, image, entries, more }) => {
    const opaque = (line: string) => above(line.slice(3)).find(dir => entries.get(dir)?.opaque)
    return (
      mark === 'A' &&
      image.has(path) &&
      more.every(opaque) &&
      `The image has /${path}, too, though /${opaque(`A /${path}`)} is opaque and hides it. The name was there: it was changed, not added.`
    )
  },
  ({ path, image, root }) =>
    [image, root].every(tree => tree.get(path)?.type === 'directory') &&
    `/${path} is a directory that the image has, too: the two are merged.`,
]

const hasSameBytes = (path: string, image: Files, root: Files) =>
  image.get(path)?.sha256 !== undefined && image.get(path)?.sha256 === root.get(path)?.sha256

/** Lines that are missing. */
const LACKING: Rule<Line>[] = [
  ({ mark, path, entry, entries }) =>
    mark === 'D' &&
    !entry &&
    entries.get(dirname(path))?.opaque &&
    `/${dirname(path)} is opaque (its user.overlay.opaque is y): it hides everything that the image has in it.`,
  ({ mark, path, entry, entries }) => {
    const opaque = above(path).find(dir => entries.get(dir)?.opaque)
    return (
      mark === 'D' &&
      !entry &&
      `/${opaque} is opaque, so it also hides what the image has in /${dirname(path)}, below it.`
    )
  },
  ({ mark, path }) => mark === 'D' && `A character device 0:0 in upper is a deletion: /${path}.`,
  ({ lacking, path, image }) =>
    lacking.every(line => image.get(line.slice(3))?.type === 'symlink') &&
    `The image has /${path}, a symbolic link, which exists wherever it leads (\`lstatSync\`): it was changed, not added.`,
  ({ lacking, path, image, root }) =>
    lacking.every(line => line.startsWith('C') && hasSameBytes(line.slice(3), image, root)) &&
    `/${path} has the same bytes as in the image, but it is still C: it was written to, or its mode was changed, so it was copied up. What counts is that it is in upper, not its content.`,
  ({ mark, path, image, root }) =>
    mark === 'C' &&
    image.get(path)?.type === root.get(path)?.type &&
    `The image has /${path} as well: it was changed, not added.`,
  ({ mark, path, image, root }) =>
    mark === 'C' &&
    `In the image /${path} is a ${image.get(path)?.type}, and in the container a ${root.get(path)?.type}: the name was there, so it was changed.`,
  ({ mark, path, image }) =>
    mark === 'A' &&
    !image.has(dirname(path)) &&
    path.includes('/') &&
    `What is in an added directory is added, too: /${path}.`,
  ({ lacking, path }) =>
    lacking.every(line => basename(line).startsWith('.')) &&
    `A name that begins with a dot is a name like any other: /${path}.`,
  ({ mark, path }) => mark === 'A' && `The image has no /${path}: it was added.`,
]
