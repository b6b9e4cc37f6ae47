import type { NetworkMode } from '../net/network-plan.ts'
import type { ListeningSocket } from '../net/publish.ts'
import type { MountSpec, ResourcesSpec } from '../spec.ts'

/** What `minilab run` was asked for, read and checked. */
export interface RunRequest {
  image: string
  command: string[]
  rootless: boolean
  name?: string
  remove: boolean
  interactive: boolean
  terminal: boolean
  resources: ResourcesSpec
  env: string[]
  workdir?: string
  user?: string
  volumes: MountSpec[]
  network: NetworkMode
  listeningSockets: ListeningSocket[]
  ports: string[]
  readOnly: boolean
  hostname?: string
  capabilities: string[]
  /** the file that takes its output, with -d */
  log?: string
  /** the process of ours that takes back what it leaves, where that is not this one: it may have lost its way among mounts */
  keeper?: number
  /** hears of what could not be taken back, of this container or another */
  notTakenBack(error: unknown): void
  /** hears of the container's id when its program has started */
  onStarted?(id: string): void
}
