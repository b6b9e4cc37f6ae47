import { join, posix } from 'node:path'
import { MinilabError } from '../common/errors.ts'
import { readJson } from '../common/json.ts'
import {
  count,
  flag,
  integer,
  listOf,
  mapOf,
  number,
  object,
  oneOf,
  optional,
  type Shape,
  text,
  texts,
  where,
} from '../common/shape.ts'
import type { ProcessSpec, ResourcesSpec, Spec } from '../container/spec.ts'
import { unlessGone } from '../kernel/process/procfs.ts'
import { hooks, type Hooks } from './state.ts'

/** A config.json as `create` uses it: what a spec may leave out is there. */
export type Config = Spec & { hooks?: Hooks }

const optionalTexts = optional(texts)
/** 32 bits; the last number means "as it is": setresuid(2). */
export const id = where(count, value => value < 2 ** 32 - 1)
/** setgroups(2): NGROUPS_MAX */
const groups = where(listOf(id), list => list.length <= 65536)
/** The kernel would take it only up to a NUL. */
const words = where(texts, list => list.every(word => !word.includes('\0')))
const isProcess = object({
  terminal: optional(flag),
  consoleSize: optional(object({ width: count, height: count })),
  user: object({ uid: id, gid: id, umask: optional(count), additionalGids: optional(groups) }),
  args: words,
  env: optional(words),
  cwd: text,
  capabilities: optional(
    object({
      bounding: optionalTexts,
      effective: optionalTexts,
      inheritable: optionalTexts,
      permitted: optionalTexts,
      ambient: optionalTexts,
    }),
  ),
  rlimits: optional(listOf(object({ type: text, soft: number, hard: number }))),
  noNewPrivileges: optional(flag),
  oomScoreAdj: optional(integer),
  scheduler: optional(
    object({
      policy: text,
      nice: optional(integer),
      priority: optional(count),
      flags: optionalTexts,
      runtime: optional(count),
      deadline: optional(count),
      period: optional(count),
    }),
  ),
  ioPriority: optional(object({ class: text, priority: where(count, value => value < 8) })),
}) as Shape<ProcessSpec>

const numbers = <N extends string>(...names: N[]) =>
  Object.fromEntries(names.map(name => [name, optional(number)])) as Record<N, Shape<number | undefined>>
const rates = optional(listOf(object({ major: integer, minor: integer, rate: count })))

/** linux.resources, also of `update`. */
export const isResources = object({
  devices: optional(
    listOf(
      object({
        allow: flag,
        type: optional(oneOf('a', 'b', 'c')),
        major: optional(integer),
        minor: optional(integer),
        access: optional(where(text, letters => /^[rwm]*$/.test(letters))),
      }),
    ),
  ),
  memory: optional(
    object({
      ...numbers('limit', 'reservation', 'swap', 'kernelTCP', 'swappiness'),
      disableOOMKiller: optional(flag),
    }),
  ),
  cpu: optional(
    object({
      ...numbers('shares', 'quota', 'burst', 'period', 'realtimeRuntime', 'realtimePeriod', 'idle'),
      cpus: optional(text),
      mems: optional(text),
    }),
  ),
  pids: optional(object({ limit: optional(number) })),
  blockIO: optional(
    object({
      weight: optional(count),
      weightDevice: optional(listOf(object({ major: integer, minor: integer, weight: optional(count) }))),
      throttleReadBpsDevice: rates,
      throttleWriteBpsDevice: rates,
      throttleReadIOPSDevice: rates,
      throttleWriteIOPSDevice: rates,
    }),
  ),
  hugepageLimits: optional(listOf(object({ pageSize: text, limit: number }))),
  rdma: optional(mapOf(object({ hcaHandles: optional(count), hcaObjects: optional(count) }))),
  unified: optional(mapOf(text)),
}) as Shape<ResourcesSpec>

const offset = optional(object({ secs: optional(integer), nanosecs: optional(count) }))
const mapping = optional(listOf(object({ containerID: count, hostID: count, size: count })))
/** What `create` reads of a config.json. What it reads and refuses is in spec-check.ts. */
export const isConfig = object({
  ociVersion: text,
  process: isProcess,
  root: object({ path: text, readonly: optional(flag) }),
  hostname: optional(text),
  domainname: optional(text),
  annotations: optional(mapOf(text)),
  hooks: optional(hooks),
  mounts: optional(
    listOf(
      object({
        destination: text,
        type: optional(text),
        source: optional(text),
        options: optionalTexts,
        uidMappings: mapping,
        gidMappings: mapping,
      }),
    ),
  ),
  linux: object({
    namespaces: optional(listOf(object({ type: text, path: optional(text) }))),
    uidMappings: mapping,
    gidMappings: mapping,
    devices: optional(
      listOf(
        object({
          type: oneOf('c', 'b', 'u', 'p'),
          path: text,
          major: optional(integer),
          minor: optional(integer),
          fileMode: optional(count),
          uid: optional(id),
          gid: optional(id),
        }),
      ),
    ),
    cgroupsPath: optional(text),
    resources: optional(isResources),
    sysctl: optional(mapOf(text)),
    seccomp: optional(
      object({
        defaultAction: text,
        defaultErrnoRet: optional(count),
        architectures: optionalTexts,
        flags: optionalTexts,
        listenerPath: optional(text),
        listenerMetadata: optional(text),
        syscalls: optional(
          listOf(
            object({
              names: texts,
              action: text,
              errnoRet: optional(count),
              args: optional(
                listOf(object({ index: count, value: number, valueTwo: optional(number), op: text })),
              ),
            }),
          ),
        ),
      }),
    ),
    timeOffsets: optional(object({ monotonic: offset, boottime: offset })),
    rootfsPropagation: optional(text),
    personality: optional(object({ domain: text, flags: optionalTexts })),
    maskedPaths: optionalTexts,
    readonlyPaths: optionalTexts,
  }),
}) as Shape<Config>

/** linux.rootfsPropagation. Go writes what is not set as "". */
const PROPAGATION = /^(r?(shared|slave|private|unbindable))?$/
const NAMESPACES = ['user', 'pid', 'mount', 'uts', 'ipc', 'network', 'cgroup', 'time']

/** The config.json of a bundle. Throws a usage error for what it must have, in runc's words where engines know them. */
export function readConfig(bundle: string): Config {
  const path = join(bundle, 'config.json')
  const config = unlessGone(() => readJson(path, isConfig))
  if (config === undefined) throw invalid(`JSON specification file ${path} not found`)
  if (typeof config === 'string') throw invalid(`${path}: ${UNFIT[config]}`)
  if (!/^1\./.test(config.ociVersion))
    throw invalid(`unsupported spec version ${JSON.stringify(config.ociVersion)}`)
  const { linux } = config
  linux.namespaces ??= []
  config.mounts ??= []
  for (const { type } of linux.namespaces)
    if (!NAMESPACES.includes(type)) throw invalid(`namespace ${JSON.stringify(type)} does not exist`)
  if (!PROPAGATION.test(linux.rootfsPropagation ?? ''))
    throw invalid(`rootfsPropagation=${linux.rootfsPropagation} is not supported`)
  linux.cgroupsPath ||= undefined // Go writes what is not set as ""
  if (linux.cgroupsPath !== undefined && posix.resolve('/', linux.cgroupsPath) === '/')
    throw invalid(`linux.cgroupsPath ${JSON.stringify(linux.cgroupsPath)} is the root of the cgroups`)
  completeProcess(config.process)
  return config
}

const UNFIT = {
  'no file': 'it is not a regular file',
  'too large': 'it is too large',
  'no JSON': 'it is not JSON',
  'another shape': 'a field that is needed is missing, or has a wrong type',
}

/** The process of a FILE, for exec. */
export function readProcess(path: string): ProcessSpec {
  const found = unlessGone(() => readJson(path, isProcess))
  if (found === undefined) throw invalid(`${path} not found`)
  if (typeof found === 'string') throw invalid(`${path}: ${UNFIT[found]}`)
  return completeProcess(found)
}

function completeProcess(process: ProcessSpec): ProcessSpec {
  process.env ??= []
  if (process.args.length === 0) throw invalid('args must not be empty')
  if (process.cwd === '') throw invalid('Cwd property must not be empty')
  if (!process.cwd.startsWith('/')) throw invalid('Cwd must be an absolute path')
  return process
}

const invalid = (message: string) =>
  new MinilabError('usage', message, 'correct the bundle: runtime-spec, config.md')
