import { readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { isAbsolute } from 'node:path/posix'
import {
  capabilityMask,
  capabilityNames,
  defaultCapabilities,
  parseCapability,
} from '../kernel/capabilities.ts'
import { UsageError } from '../kernel/errors.ts'
import { NETWORK_MODES, type NetworkMode } from './network-plan.ts'
import type { MountSpec, ResourcesSpec } from './spec.ts'
import { suggest } from '../kernel/suggest.ts'

const UNITS: Record<string, number> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 }

/** `64m` → bytes, as docker reads it. Throws a UsageError. */
function parseSize(text: string): number {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)([bkmgt]?)(?:i?b)?$/i.exec(text) ?? []
  const bytes = Math.floor(Number(digits) * (UNITS[unit.toLowerCase()] ?? NaN))
  if (digits && Number.isSafeInteger(bytes) && bytes > 0) return bytes
  throw new UsageError(`"${text}" is no size`, 'write a number with b, k, m or g behind it, such as 64m')
}

/** The limits of `run`; empty where none was asked for. `--cpus 0.5` is half of each 100 ms. */
export function resources(flags: { memory?: string; cpus?: string; pidsLimit?: string }): ResourcesSpec {
  const found: ResourcesSpec = {}
  if (flags.memory !== undefined) {
    const limit = parseSize(flags.memory)
    // Docker's smallest: below it no program can even start
    if (limit < 6 * UNITS.m!)
      throw new UsageError(`--memory ${flags.memory} is too little to start anything`, 'give at least 6m')
    found.memory = { limit, swap: limit }
  }
  if (flags.cpus !== undefined) {
    const cpus = Number(flags.cpus)
    if (!(cpus >= 0.01 && cpus <= 4096))
      throw new UsageError(`"${flags.cpus}" is no number of cpus`, 'write a decimal such as 0.5')
    found.cpu = { quota: Math.round(cpus * 100_000), period: 100_000 }
  }
  if (flags.pidsLimit !== undefined) found.pids = { limit: positive('--pids-limit', flags.pidsLimit) }
  return found
}

function positive(flag: string, text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text)
  throw new UsageError(`${flag} "${text}" is no positive whole number`, 'write a number such as 100')
}

/** `-e NAME=value`; `-e NAME` takes it from our own environment. Later ones win. */
export function environment(base: string[], given: string[]): string[] {
  const variables = new Map(base.map(entry => split(entry)))
  for (const entry of given) {
    const [name, value] = split(entry)
    if (!name) throw new UsageError(`-e "${entry}" has no name`, 'write NAME=value')
    if (entry.includes('=')) variables.set(name, value)
    else if (process.env[name] !== undefined) variables.set(name, process.env[name])
  }
  return [...variables].map(([name, value]) => `${name}=${value}`)
}

function split(entry: string): [string, string] {
  const at = entry.indexOf('=')
  return at === -1 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)]
}

/** `-v HOST:CONTAINER[:ro]` as a bind mount. Throws a UsageError where there is no such path on the host. */
export function volume(text: string): MountSpec {
  const [source = '', destination = '', mode = 'rw', ...more] = text.split(':')
  if (!source || !isAbsolute(destination) || more.length || !['ro', 'rw'].includes(mode))
    throw new UsageError(
      `-v "${text}" is no volume`,
      'write /on/the/host:/in/the/container, and :ro to protect it',
    )
  try {
    return { destination, source: realpathSync(source), type: 'bind', options: ['rbind', 'rprivate', mode] }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new UsageError(`-v: there is no ${source} on the host`, `mkdir -p ${source}`)
  }
}

/** The capabilities that stay: Docker's default, less --cap-drop, and more by --cap-add; ALL means every one. */
export function keptCapabilities(add: string[] = [], drop: string[] = []): string[] {
  const dropAll = drop.some(word => word.toUpperCase() === 'ALL')
  const base = dropAll ? 0n : capabilityMask(defaultCapabilities)
  const dropped = capabilityMask(drop.filter(word => word.toUpperCase() !== 'ALL').flatMap(parseCapability))
  return capabilityNames((base | capabilityMask(add.flatMap(parseCapability))) & ~dropped)
}

export interface Port {
  address: string
  host: number
  container: number
}

/** `-p [ADDRESS:]HOST:CONTAINER`. Throws a UsageError. */
export function port(text: string): Port {
  const [, address = '0.0.0.0', host = '', container = ''] =
    /^(?:(\d+\.\d+\.\d+\.\d+):)?(\d+):(\d+)(?:\/tcp)?$/.exec(text) ?? []
  const valid = (n: string) => Number(n) >= 1 && Number(n) <= 65535
  if (valid(host) && valid(container)) return { address, host: Number(host), container: Number(container) }
  throw new UsageError(`-p "${text}" is no port`, 'write HOST:CONTAINER, such as 8080:80 (tcp)')
}

export function networkMode(word: string): NetworkMode {
  const mode = NETWORK_MODES.find(known => known === word)
  if (mode) return mode
  const near = suggest(word, NETWORK_MODES)
  throw new UsageError(
    `there is no network "${word}"`,
    near ? `did you mean ${near}?` : `there are ${NETWORK_MODES.join(', ')}`,
  )
}

/** `-u NAME|UID[:GROUP|GID]`: numbers as they are, names from the image's /etc/passwd and /etc/group. */
export function user(text: string, layersTopFirst: string[]): { uid: number; gid: number } {
  const [name = '', group] = text.split(':')
  const account = lookUp('passwd', name, layersTopFirst)
  const uid = number(name) ?? account?.[2]
  if (uid === undefined)
    throw new UsageError(`there is no user "${name}" in the image’s /etc/passwd`, 'give a number')
  const gid =
    group === undefined ? (account?.[3] ?? 0) : (number(group) ?? lookUp('group', group, layersTopFirst)?.[2])
  if (gid === undefined)
    throw new UsageError(`there is no group "${group}" in the image’s /etc/group`, 'give a number')
  return { uid: Number(uid), gid: Number(gid) }
}

const number = (text: string) => (/^\d+$/.test(text) ? Number(text) : undefined)

/** The line of a name (or of an id, in its third field) in the image's own passwd or group. */
function lookUp(file: string, name: string, layersTopFirst: string[]): string[] | undefined {
  for (const layer of layersTopFirst) {
    let text: string
    try {
      text = readFileSync(join(layer, 'etc', file), 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue // in a layer below, perhaps
      throw error
    }
    return text
      .split('\n')
      .map(line => line.split(':'))
      .find(fields => fields[0] === name || fields[2] === name)
  }
  return undefined
}
