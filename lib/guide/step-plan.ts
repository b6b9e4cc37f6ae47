import { defaultSpec } from '../container/default-spec.ts'
import type { Ledger } from '../container/ledger/ledger.ts'
import { isPart, type Part, type Plan } from '../container/part.ts'
import { findImage, plannedLayers } from '../image/store.ts'
import type { Step } from './step.ts'

/** How a container of a step differs from the step's own. */
export interface PlanOptions {
  parts?: readonly Part[]
  args?: string[]
  change?(plan: Plan): void
  /** a descriptor for its stdin, instead of the pipe to its shell */
  input?: number
  /** makes nothing, not even the default image: for `--dry-run` */
  dry?: boolean
  /** whether it needs the image even if the step uses the host's own files: for another runtime */
  image?: boolean
  /** its name, if it must be the same each time */
  id?: string
}

/** The mode in which a step runs. */
export interface StepMode {
  rootless: boolean
  /** `minilab`, or the program that makes the containers instead */
  runtime: string
}

/**
 * Plans a container with the parts of a step: a shell on the default image, or on the host's own files if the step has no root
 * file system yet. Makes nothing except the image, and with `dry` not even that.
 */
export async function planFor(
  step: Pick<Step, 'parts' | 'spec'>,
  { rootless, runtime }: StepMode,
  ledger: Ledger,
  id: string,
  { parts = step.parts, args, dry, image }: PlanOptions,
): Promise<Plan> {
  // steps 1 and 2 use the host's own files; another runtime always needs a root file system
  const ownRoot = step.parts.some(part => isPart(part, 'root')) || runtime !== 'minilab' || image
  const layers = dry ? plannedLayers('default') : ownRoot ? (await findImage('default')).layers : []
  const spec = defaultSpec(ownRoot ? (layers.at(-1) ?? '/') : '/', ['/bin/sh'], rootless)
  spec.linux.cgroupsPath = `/minilab/${id}`
  // do not ask another runtime for things that this step has no part for
  if (!parts.some(part => isPart(part, 'hardening'))) {
    delete spec.process.capabilities
    spec.process.noNewPrivileges = false
  }
  step.spec?.(spec, { rootless })
  if (args) spec.process.args = args
  return { id, spec, rootfs: spec.root.path, ledger, diesWithUs: true }
}
