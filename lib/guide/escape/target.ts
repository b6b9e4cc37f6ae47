import { onImageLayers } from '../image-layers.ts'
import type { Box } from '../box.ts'
import { Experiment } from '../experiment.ts'
import type { PlanOptions } from '../step-plan.ts'
import type { Step } from '../step.ts'
import { hardening } from '../../container/parts/hardening.ts'
import { layers, overlayRefused } from '../../container/parts/layers.ts'
import { limits } from '../../container/parts/limits.ts'
import { namespaces } from '../../container/parts/namespaces.ts'
import { isPart, type Part, type Plan } from '../../container/part.ts'
import { root } from '../../container/parts/root.ts'
import type { Replayed, Tape } from '../../kernel/tape/tape.ts'
import type { AttackedHost } from './attacked-host.ts'

/** The memory limit of every container of the ladder, in bytes. It takes effect only with the part of chapter 4. */
export const MEMORY = 64 * 2 ** 20
export const PROCESSES = 20

/** An attack's calls with the kernel's answers, and the container that made them. */
export interface Made {
  calls: Replayed[]
  box: Box
}

/** A container of a chapter on the attacked host, with all parts that the chapters up to it teach. */
export class Target implements AsyncDisposable {
  readonly number: number
  readonly host: AttackedHost
  readonly parts: readonly Part[]
  readonly #experiment: Experiment

  constructor(step: Step, parts: readonly Part[], host: AttackedHost) {
    this.number = step.number
    this.host = host
    this.parts = parts
    this.#experiment = new Experiment(step, { rootless: host.rootless, runtime: 'minilab' })
  }

  /** Whether it has a part. It has `limits` even where no cgroup can be made: see `unlimited`. */
  has(part: Part): boolean {
    return this.parts.some(({ name }) => name === part.name)
  }

  /** Why it has no limits although its chapter teaches them. */
  get unlimited(): string | undefined {
    return this.has(limits) ? this.#experiment.whyNoLimits?.reason : undefined
  }

  /** Whether it sees the host's files: true until it has its own root file system. */
  get seesHost(): boolean {
    return !this.has(root)
  }

  /** Whether the host's process ids are valid inside. */
  get seesProcesses(): boolean {
    return !this.has(namespaces)
  }

  /** A directory that it may write to, and make device nodes in. */
  get scratch(): string {
    return this.seesHost ? this.host.scratch : '/dev'
  }

  /**
   * Makes a container that makes these calls in place of its program, or right before it: with the rights that the program
   * would have, when all its parts are in effect. Record the calls with `tape.attempt`. `input`: its stdin.
   */
  async make(
    record: (tape: Tape) => void,
    { thenRun = false, ...options }: { thenRun?: boolean } & Pick<PlanOptions, 'input'> = {},
  ): Promise<Made> {
    const attack: Part = {
      name: 'attack',
      inside(tape) {
        record(tape)
        if (!thenRun) tape.exit_group(0)
      },
    }
    const parts = this.parts.flatMap(part =>
      isPart(part, 'process') ? [attack, ...(thenRun ? [part] : [])] : [part],
    )
    const box = await this.start({ parts, ...options })
    return { box, calls: box.tape.filter(({ part, call }) => part === 'attack' && call !== 'exit_group') }
  }

  /** Starts a container with a shell, or with the given program. */
  async start(options: Pick<PlanOptions, 'parts' | 'args' | 'input'> = {}): Promise<Box> {
    const change = (plan: Plan) => this.#furnish(plan)
    try {
      return await this.#experiment.another('an attack', { parts: this.parts, change, ...options })
    } catch (error) {
      throw overlayRefused(error) ?? error
    }
  }

  #furnish(plan: Plan): void {
    const { linux } = plan.spec
    if (!this.has(hardening)) plan.oneStage = true // the second stage, too, belongs to the last chapter
    linux.resources = { memory: { limit: MEMORY, swap: MEMORY }, pids: { limit: PROCESSES } }
    if (this.has(layers) && !plan.layers) onImageLayers(plan)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#experiment.close()
  }
}

/** All parts that the chapters up to this one teach, in the order of the last chapter. */
export function partsUpTo(number: number, steps: readonly Step[]): Part[] {
  const taught = new Set(steps.filter(step => step.number <= number).flatMap(step => step.parts))
  return (steps.at(-1)?.parts ?? []).filter(part => taught.has(part))
}
