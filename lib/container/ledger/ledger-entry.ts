import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, normalize } from 'node:path'
import { parseJson } from '../../common/json.ts'
import {
  anyOf,
  both,
  integer,
  object,
  type Of,
  oneOf,
  optional,
  positive,
  text,
  texts,
  where,
} from '../../common/shape.ts'
import { hierarchies } from '../../kernel/cgroup/cgroupfs.ts'
import { isPacketRules } from '../net/packet-rules.ts'

const path = where(text, path => isAbsolute(path) && normalize(path) === path && !path.includes('\0'))
const inCgroups = where(path, path => hierarchies().some(({ mount }) => path.startsWith(`${mount}/`)))

/**
 * The required form of a ledger line. A file may be damaged, and we kill, delete or write to what it names. So every
 * entry must be of a kind that we make, and name something in a place where we make it.
 */
const isEntry = anyOf(
  object({ kind: oneOf('cgroup'), path: inCgroups, use: oneOf('container', 'parent', 'ourselves') }),
  object({
    kind: oneOf('controllers'),
    path: where(inCgroups, path => basename(path) === 'cgroup.subtree_control'),
    enabled: texts,
  }),
  // `unless`: it may stay if it contains this file, as a container of `minilab run` does once it has started
  object({ kind: oneOf('folder'), path, unless: optional(text) }),
  // `named`: it stays if the state of a container names it
  object({ kind: oneOf('file'), path, unless: optional(oneOf('named')) }),
  object({ kind: oneOf('process'), pid: positive, started: positive }),
  // what belongs to a network namespace includes its inode: it disappears with the namespace
  object({
    kind: oneOf('link'),
    name: where(text, name => /^(ml-|mlb-|minilab)/.test(name)),
    netns: integer,
  }),
  both(object({ kind: oneOf('rules'), netns: integer }), isPacketRules),
  object({
    kind: oneOf('sysctl'),
    path: where(path, path => path.startsWith('/proc/sys/net/')),
    before: text,
    set: text,
    netns: integer,
  }),
)

/** One thing on the host that the kernel does not undo by itself when a container ends. */
export type Entry = Of<typeof isEntry>

/** The entry in a line of a ledger; undefined for a damaged line. */
export const readEntry = (line: string): Entry | undefined => parseJson(line, isEntry)

/** The directory of a data folder in which a path must lie to be deleted. */
const PLACES: Partial<Record<Entry['kind'], string>> = { folder: 'containers', file: 'logs' }

/** Whether an entry can have been recorded for this data folder: its directories must be containers', its files logs. */
export function belongsTo(entry: Entry, dataFolder: string): boolean {
  const name = PLACES[entry.kind]
  if (!name || !('path' in entry) || !existsSync(entry.path)) return true // there is no path to delete
  const place = join(dataFolder, name)
  return existsSync(place) && realpathSync(dirname(entry.path)) === realpathSync(place)
}
