import type { ProcessCapabilities } from '../kernel/process/capabilities.ts'
import type { Seccomp } from './seccomp/seccomp-profile.ts'

/**
 * The OCI runtime specification's config.json, as far as minilab reads it: opencontainers/runtime-spec, config.md and
 * config-linux.md. The chapters, `minilab run` and `docker run --runtime minilab` all use this format.
 */
export interface Spec {
  ociVersion: string
  process: ProcessSpec
  root: { path: string; readonly?: boolean }
  hostname?: string
  domainname?: string
  mounts: MountSpec[]
  linux: LinuxSpec
  annotations?: Record<string, string>
}

export interface ProcessSpec {
  terminal?: boolean
  consoleSize?: { width: number; height: number }
  user: { uid: number; gid: number; umask?: number; additionalGids?: number[] }
  args: string[]
  env: string[]
  cwd: string
  capabilities?: ProcessCapabilities
  rlimits?: { type: string; soft: number; hard: number }[]
  noNewPrivileges?: boolean
  oomScoreAdj?: number
  /** the last three in nanoseconds, for SCHED_DEADLINE */
  scheduler?: {
    policy: string
    nice?: number
    priority?: number
    flags?: string[]
    runtime?: number
    deadline?: number
    period?: number
  }
  ioPriority?: { class: string; priority: number }
}

export interface MountSpec {
  destination: string
  type?: string
  source?: string
  options?: string[]
  /** from the ids of the source's files (containerID) to those that the mount shows on the host (hostID) */
  uidMappings?: IdMapping[]
  gidMappings?: IdMapping[]
}

/** The kinds of namespaces by the specification's names, which differ from those under /proc/<pid>/ns. */
export type NamespaceType = 'user' | 'pid' | 'mount' | 'uts' | 'ipc' | 'network' | 'cgroup' | 'time'

export interface IdMapping {
  containerID: number
  hostID: number
  size: number
}

/** The lines of a map as /proc/<pid>/uid_map takes them. */
export const idMapLines = (mappings: readonly IdMapping[] = []) =>
  mappings.map(m => `${m.containerID} ${m.hostID} ${m.size}\n`).join('')

interface LinuxSpec {
  namespaces: { type: NamespaceType; path?: string }[]
  uidMappings?: IdMapping[]
  gidMappings?: IdMapping[]
  timeOffsets?: Record<'monotonic' | 'boottime', { secs?: number; nanosecs?: number }>
  devices?: DeviceSpec[]
  cgroupsPath?: string
  resources?: ResourcesSpec
  seccomp?: Seccomp
  sysctl?: Record<string, string>
  maskedPaths?: string[]
  readonlyPaths?: string[]
  rootfsPropagation?: string
  personality?: { domain: string; flags?: string[] }
}

export interface DeviceSpec {
  type: 'c' | 'b' | 'u' | 'p'
  path: string
  major?: number
  minor?: number
  fileMode?: number
  uid?: number
  gid?: number
}

/** Limits: bytes, microseconds, counts. 0 or absent means that we set no limit; -1 means explicitly unlimited. */
export interface ResourcesSpec {
  memory?: {
    limit?: number
    reservation?: number
    swap?: number
    kernelTCP?: number
    swappiness?: number
    disableOOMKiller?: boolean
  }
  cpu?: {
    shares?: number
    quota?: number
    period?: number
    burst?: number
    idle?: number
    realtimeRuntime?: number
    realtimePeriod?: number
    cpus?: string
    mems?: string
  }
  pids?: { limit?: number }
  blockIO?: BlockIOSpec
  hugepageLimits?: { pageSize: string; limit: number }[]
  /** by the name of a device for remote direct memory access */
  rdma?: Record<string, { hcaHandles?: number; hcaObjects?: number }>
  unified?: Record<string, string>
  devices?: DeviceRule[]
}

/** The weight is from 10 to 1000. */
export interface BlockIOSpec {
  weight?: number
  leafWeight?: number
  weightDevice?: { major: number; minor: number; weight?: number; leafWeight?: number }[]
  throttleReadBpsDevice?: DeviceRate[]
  throttleWriteBpsDevice?: DeviceRate[]
  throttleReadIOPSDevice?: DeviceRate[]
  throttleWriteIOPSDevice?: DeviceRate[]
}

interface DeviceRate {
  major: number
  minor: number
  rate: number
}

/** Which devices may be used; a later rule outweighs an earlier one. Without a number it holds for all of the type. */
export interface DeviceRule {
  allow: boolean
  type?: string
  major?: number
  minor?: number
  access?: string
}

/** Whether the spec asks for its own namespace of a kind (or to join one by path). */
export function has(spec: Spec, type: NamespaceType): boolean {
  return spec.linux.namespaces.some(ns => ns.type === type)
}
