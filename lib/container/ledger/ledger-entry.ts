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
 * What a line of a ledger must be like. A file may be damaged, and what it names is killed, deleted or written to: so every
 * entry must be of a kind that we make, and name something of a place where we make it.
 */
const isEntry = anyOf(
  object({ kind: oneOf('cgroup'), path: inCgroups, use: oneOf('container', 'parent', 'ourselves') }),
  object({
    kind: oneOf('controllers'),
    path: where(inCgroups, path => basename(path) === 'cgroup.subtree_control'),
    enabled: texts,
  }),
  // `unless`: a file in it with which it may stay, as a container of `minilab run` has once it has started
  object({ kind: oneOf('folder'), path, unless: optional(text) }),
  // `named`: it stays where the state of a container names it
  object({ kind: oneOf('file'), path, unless: optional(oneOf('named')) }),
  object({ kind: oneOf('process'), pid: positive, started: positive }),
  // what belongs to a network namespace names it by inode: with the namespace the thing is gone too
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

/** One thing on the host that the kernel does not take back by itself when a container ends. */
export type Entry = Of<typeof isEntry>

/** The entry that a line of a ledger is; undefined for one that is damaged. */
export const readEntry = (line: string): Entry | undefined => parseJson(line, isEntry)

/** Where in a data folder what is deleted by its path must be. */
const PLACES: Partial<Record<Entry['kind'], string>> = { folder: 'containers', file: 'logs' }

/** Whether an entry can have been noted for this data folder: its folders are those of containers, its files logs, and nothing else. */
export function belongsTo(entry: Entry, dataFolder: string): boolean {
  const name = PLACES[entry.kind]
  if (!name || !('path' in entry) || !existsSync(entry.path)) return true // nothing to delete by its path
  const place = join(dataFolder, name)
  return existsSync(place) && realpathSync(dirname(entry.path)) === realpathSync(place)
}
