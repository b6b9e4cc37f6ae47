import { codeOf } from '../../common/error-code.ts'
import { existsSync, realpathSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import { isAbsolute, normalize } from 'node:path/posix'
import {
  capabilityMask,
  capabilityNames,
  defaultCapabilities,
  parseCapability,
  type ProcessCapabilities,
} from '../../kernel/process/capabilities.ts'
import { MinilabError } from '../../common/errors.ts'
import { quote } from '../../kernel/syscalls/argument-kinds.ts'
import { NETWORK_MODES, type NetworkMode } from '../net/network-plan.ts'
import type { MountSpec, ResourcesSpec } from '../spec.ts'
import { hint } from '../../common/suggest.ts'
import { sharedPlace } from '../rootfs/volumes.ts'

const UNITS: Record<string, number> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 }

/** `64m` → bytes, as docker reads it; also `64Mi`, as Kubernetes writes it. Throws a usage error. */
function parseSize(text: string): number {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)(?:([kmgt])i?b?|b?)$/i.exec(text) ?? []
  const bytes = Math.floor(Number(digits) * (UNITS[unit.toLowerCase()] ?? NaN))
  const isNone = bytes === 0 && Number(digits) > 0 // half a byte: 0 would mean no limit
  if (digits && Number.isSafeInteger(bytes) && !isNone) return bytes
  throw new MinilabError(
    'usage',
    `${quote(text)} is not a valid size`,
    'write a number followed by b, k, m or g, such as 64m',
  )
}

/** Docker's minimum: with less, no program can even start. */
const SMALLEST_MEMORY = 6 * 1024 ** 2

/** The limits of `run`; empty if none was asked for, and 0 means none. `--cpus 0.5` is half of each 100 ms, like `500m`. */
export function resources(flags: { memory?: string; cpus?: string; pidsLimit?: string }): ResourcesSpec {
  const found: ResourcesSpec = {}
  if (flags.memory !== undefined) {
    const limit = parseSize(flags.memory)
    if (limit > 0 && limit < SMALLEST_MEMORY)
      throw new MinilabError(
        'usage',
        `--memory ${flags.memory} is too little to start anything`,
        'give at least 6m',
      )
    if (limit > 0) found.memory = { limit, swap: limit }
  }
  if (flags.cpus !== undefined) {
    const cpus = processors(flags.cpus)
    if (!(cpus === 0 || (cpus >= 0.01 && cpus <= 4096)))
      throw new MinilabError(
        'usage',
        `${quote(flags.cpus)} is not a number of CPUs`,
        'write a decimal such as 0.5, or 500m',
      )
    if (cpus > 0) found.cpu = { quota: Math.round(cpus * 100_000), period: 100_000 }
  }
  if (flags.pidsLimit !== undefined && !['0', '-1'].includes(flags.pidsLimit))
    found.pids = { limit: processes(flags.pidsLimit) }
  return found
}

/** A decimal number, or thousandths in the notation of Kubernetes. */
function processors(text: string): number {
  if (/^\d+m$/.test(text)) return parseInt(text) / 1000
  return /^\d+(\.\d*)?$|^\.\d+$/.test(text) ? Number(text) : NaN
}

const PID_MAX_LIMIT = 4194304 // linux/threads.h: no machine has more pids, and no cgroup accepts a higher limit

function processes(text: string): number {
  if (/^[1-9]\d*$/.test(text) && Number(text) <= PID_MAX_LIMIT) return Number(text)
  throw new MinilabError(
    'usage',
    `--pids-limit ${quote(text)} is not a whole number from 1 to ${PID_MAX_LIMIT}`,
    'write a number such as 100',
  )
}

/** `--hostname NAME`. Throws a usage error for a name that sethostname(2) refuses or no resolver understands: hostname(7). */
export function hostName(text: string): string {
  if (/^[a-zA-Z0-9_]([a-zA-Z0-9_.-]{0,62}[a-zA-Z0-9_])?$/.test(text)) return text
  throw new MinilabError(
    'usage',
    `${quote(text)} is not a valid host name`,
    'use at most 64 letters, digits, dots and hyphens',
  )
}

/** `-it`. Throws a usage error if our stdin is no terminal: its content would be echoed, and its end would not reach the program. */
export function refuseNoTerminal({ interactive, tty }: { interactive?: boolean; tty?: boolean }): void {
  if (tty && interactive && !process.stdin.isTTY)
    throw new MinilabError('usage', '-it needs a terminal, but stdin is not one', 'leave out -t')
}

/** `-w PATH`. Whether the container has such a directory turns out when it starts. */
export function workdir(text: string): string {
  if (isAbsolute(text) && !text.includes('\0')) return text
  throw new MinilabError('usage', `-w ${quote(text)} is not an absolute path`, 'start it with /')
}

/** Variables that our own Node must not have, or has with other values: the launcher and bin.mjs have saved the caller's. */
const MOVED = ['NODE_OPTIONS', 'NODE_DEBUG', 'FORCE_COLOR', 'UV_THREADPOOL_SIZE', 'NODE_COMPILE_CACHE']

/** `-e NAME=value`; `-e NAME` copies it from the caller's environment, or removes it if it is not set there, as docker does. Later ones win. */
export function environment(base: string[], given: string[]): string[] {
  const variables = new Map(base.map(entry => split(entry)))
  for (const entry of given) {
    const [name, value] = split(entry)
    if (!name || entry.includes('\0'))
      throw new MinilabError('usage', `-e ${quote(entry)} is not a variable`, 'write NAME=value')
    const own = process.env[MOVED.includes(name) ? `MINILAB_${name}` : name]
    if (entry.includes('=')) variables.set(name, value)
    else if (own === undefined) variables.delete(name)
    else variables.set(name, own)
  }
  return [...variables].map(([name, value]) => `${name}=${value}`)
}

function split(entry: string): [string, string] {
  const at = entry.indexOf('=')
  return at === -1 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)]
}

/** All of `-v`. Throws a usage error, also if two have the same place: the second would cover the first. */
export function volumes(texts: readonly string[]): MountSpec[] {
  const all = texts.map(volume)
  const twice = sharedPlace(all)
  if (twice !== undefined)
    throw new MinilabError(
      'usage',
      `two volumes have the destination ${twice}`,
      'leave one out, or choose another destination',
    )
  return all
}

/**
 * `-v HOST:CONTAINER[:ro]` as a bind mount; `ro` includes all mounts below it, and devices in it cannot be opened. Throws a
 * MinilabError (usage) if the host has no such path, and for places that belong to the container: "/" as a whole, the kernel's trees
 * /proc, /dev and /sys, and /dev/null, which is the program's stdin.
 */
function volume(text: string): MountSpec {
  const [source = '', place = '', mode = 'rw', ...more] = text.split(':')
  if (!source || !isAbsolute(place) || more.length || !['ro', 'rw'].includes(mode) || text.includes('\0'))
    throw new MinilabError(
      'usage',
      `-v ${quote(text)} is not a volume`,
      'write /on/the/host:/in/the/container, with :ro to make it read-only',
    )
  const destination = normalize(place).replace(/(?<=.)\/$/, '')
  if (/^\/(dev(\/null)?|sys|proc(\/.*)?)?$/.test(destination))
    throw new MinilabError(
      'usage',
      `-v ${quote(text)}: the container has its own ${destination}`,
      'choose another destination',
    )
  try {
    return {
      destination,
      source: realpathSync(source),
      type: 'bind',
      options: ['rbind', 'rprivate', 'rnodev', mode === 'ro' ? 'rro' : 'rw'],
    }
  } catch (error) {
    const code = codeOf(error)
    if (code !== 'ENOENT')
      throw new MinilabError(
        'usage',
        `-v: ${source} cannot be used (${code})`,
        'choose a path that you may read',
      )
    if (existsSync(source))
      throw new MinilabError(
        'usage',
        `-v: ${source} is a link that only the kernel can follow`,
        'name a directory or a file',
      )
    throw new MinilabError(
      'usage',
      `-v: there is no ${source} on the host`,
      'make it first (mkdir), or correct the path',
    )
  }
}

/** The capabilities that stay: Docker's default, minus --cap-drop, plus --cap-add; ALL means every capability. */
export function keptCapabilities(add: string[] = [], drop: string[] = []): string[] {
  const dropAll = drop.some(word => word.toUpperCase() === 'ALL')
  const base = dropAll ? 0n : capabilityMask(defaultCapabilities)
  const dropped = capabilityMask(drop.filter(word => word.toUpperCase() !== 'ALL').flatMap(parseCapability))
  return capabilityNames((base | capabilityMask(add.flatMap(parseCapability))) & ~dropped)
}

/** capabilities(7): a user other than root keeps none across execve. */
export const capabilitiesOf = (uid: number, bounding: string[]): ProcessCapabilities =>
  uid === 0 ? { bounding, permitted: bounding, effective: bounding } : { bounding }

export interface Port {
  address: string
  host: number
  container: number
}

/** `-p [ADDRESS:]HOST:CONTAINER`. Throws a usage error. */
export function port(text: string): Port {
  const [, address = '0.0.0.0', host = '', container = ''] =
    /^(?:(\d+\.\d+\.\d+\.\d+):)?(\d+):(\d+)(?:\/tcp)?$/.exec(text) ?? []
  const valid = (n: string) => Number(n) >= 1 && Number(n) <= 65535
  if (isIPv4(address) && valid(host) && valid(container))
    return { address, host: Number(host), container: Number(container) }
  throw new MinilabError(
    'usage',
    `-p ${quote(text)} is not a port`,
    'write HOST:CONTAINER, such as 8080:80 (tcp)',
  )
}

export function networkMode(word: string): NetworkMode {
  const mode = NETWORK_MODES.find(known => known === word)
  if (mode) return mode
  throw new MinilabError(
    'usage',
    `there is no network ${quote(word)}`,
    hint(word, NETWORK_MODES, `the networks are ${NETWORK_MODES.join(', ')}`),
  )
}
