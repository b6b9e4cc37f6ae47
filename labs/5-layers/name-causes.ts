import { basename, dirname } from 'node:path'
import type { TreeEntry } from '../../lib/image/tree-digest.ts'
import { type Entries, firstOf, kindOf, type Rule, WHITEOUT } from './causes.ts'

// What a wrong list of names in a tar did not take into account. The first cause that fits is reported.

/** What `tarNames` returned for a path. */
export interface Returned {
  path: string
  names: unknown
}

interface Names {
  lacking: readonly string[]
  more: readonly string[]
  ours: readonly string[]
  returned: readonly Returned[]
  upper: string
  entries: Entries
}

export function whyNames(of: Names): string {
  const row = (name: string): Name => {
    const { path = '' } = of.returned.find(({ names }) => [names].flat().includes(name)) ?? {}
    return { ...of, name, entry: of.entries.get(path) }
  }
  return (
    firstOf(NAME_FORM, of.returned.flatMap(({ names }) => names as string[]).map(row)) ??
    firstOf(NAMES_LACKING, of.lacking.map(row)) ??
    firstOf(NAMES_SURPLUS, of.more.map(row)) ??
    ''
  )
}

interface Name extends Names {
  name: string
  /** what upper has at the path for which the name was returned */
  entry: TreeEntry | undefined
}

const OPAQUE = '.wh..wh..opq'

const noWhiteout =
  (isOther: (entry: TreeEntry) => boolean): Rule<Name> =>
  ({ name, entry }) =>
    name.includes('.wh.') &&
    !name.endsWith(OPAQUE) &&
    entry &&
    isOther(entry) &&
    `/${entry.path} is ${entry.type === 'symlink' ? 'a symbolic link, and the link itself counts (`lstatSync`)' : `a ${kindOf(entry)}`}: ${WHITEOUT}.`

const NAME_FORM: Rule<Name>[] = [
  ({ name, upper }) =>
    name.includes(upper) && `“${name}” is a path of the host: names are relative to the root of the layer.`,
  ({ name }) =>
    name.startsWith('/') && `“${name}” begins with a slash: names are relative to the layer's root.`,
  ({ name, entry }) =>
    name.includes('.wh.') &&
    !name.endsWith(OPAQUE) &&
    entry?.opaque &&
    `/${entry.path} is opaque: the empty file that says so is named ${OPAQUE}, and is in that directory.`,
  noWhiteout(({ rdev }) => rdev === undefined),
  noWhiteout(({ rdev }) => rdev !== '0:0'),
  ({ name, entry }) =>
    name.endsWith(OPAQUE) &&
    entry?.type === 'directory' &&
    !entry.opaque &&
    `/${entry.path} is not opaque: its user.overlay.opaque is not y.`,
]

const NAMES_LACKING: Rule<Name>[] = [
  ({ name }) =>
    basename(name) === OPAQUE &&
    `/${dirname(name)} is opaque (its user.overlay.opaque is y): an empty file ${OPAQUE} in it says so, besides the entry of the directory itself.`,
  ({ name }) =>
    basename(name).startsWith('.wh.') &&
    'A tar has no whiteouts: an empty file in the same directory represents it, named .wh. and then the deleted name.',
  ({ name }) => `What was added or changed has its own name: ${name}.`,
]

const NAMES_SURPLUS: Rule<Name>[] = [
  ({ name, ours }) =>
    ours.indexOf(name) !== ours.lastIndexOf(name) &&
    `“${name}” is named more than once. \`tarNames\` is called for each path of the layer: it names the entries for that path, and nothing else.`,
  ({ name }) => `“${name}” is not in this layer's tar.`,
]
