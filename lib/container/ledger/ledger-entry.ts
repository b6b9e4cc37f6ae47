import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, normalize } from 'node:path'
import { hierarchies } from '../../kernel/cgroup/cgroupfs.ts'
import type { Entry } from './ledger.ts'
import { isPacketRules } from '../net/packet-rules.ts'

type Unknown = Record<string, unknown>
const isText = (value: unknown): value is string => typeof value === 'string'
const areTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText)
const isCount = (value: unknown) => Number.isSafeInteger(value) && Number(value) > 0
const isPath = (value: unknown): value is string =>
  isText(value) && isAbsolute(value) && normalize(value) === value && !value.includes('\0')
const isBelowCgroups = (path: string) => hierarchies().some(({ mount }) => path.startsWith(`${mount}/`))

/**
 * What a line of a ledger must be like. A file may be damaged, and what it names is killed, deleted or written to: so every
 * entry must be of a kind that we make, and name something of a place where we make it.
 */
const SOUND: Record<Entry['kind'], (entry: Unknown) => boolean> = {
  cgroup: ({ path, use }) =>
    isPath(path) && isBelowCgroups(path) && ['container', 'parent', 'ourselves'].includes(String(use)),
  controllers: ({ path, enabled }) =>
    isPath(path) && isBelowCgroups(path) && basename(path) === 'cgroup.subtree_control' && areTexts(enabled),
  folder: ({ path, unless }) => isPath(path) && (unless === undefined || isText(unless)),
  file: ({ path, unless }) => isPath(path) && (unless === undefined || unless === 'named'),
  process: ({ pid, started }) => isCount(pid) && isCount(started),
  link: ({ name, netns }) => isText(name) && /^(ml-|mlb-|minilab)/.test(name) && Number.isSafeInteger(netns),
  rules: entry => isPacketRules(entry) && Number.isSafeInteger(entry.netns),
  sysctl: ({ path, before, set, netns }) =>
    isPath(path) &&
    path.startsWith('/proc/sys/net/') &&
    isText(before) &&
    isText(set) &&
    Number.isSafeInteger(netns),
}

/** The entry that a line of a ledger is; undefined for one that is damaged. */
export function readEntry(line: string): Entry | undefined {
  try {
    const entry = JSON.parse(line) as Unknown | null
    const isSound = SOUND[String(entry?.kind) as Entry['kind']]
    return entry && Object.hasOwn(SOUND, String(entry.kind)) && isSound(entry) ? (entry as Entry) : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Where in a data folder what is deleted by its path must be. */
const PLACES: Partial<Record<Entry['kind'], string>> = { folder: 'containers', file: 'logs' }

/** Whether an entry can have been noted for this data folder: its folders are those of containers, its files logs, and nothing else. */
export function belongsTo(entry: Entry, dataFolder: string): boolean {
  const name = PLACES[entry.kind]
  if (!name || !('path' in entry) || !existsSync(entry.path)) return true // nothing to delete by its path
  const place = join(dataFolder, name)
  return existsSync(place) && realpathSync(dirname(entry.path)) === realpathSync(place)
}
