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

/** What every container of the ladder is to be limited to; only the part that chapter 4 teaches makes it true. */
export const MEMORY = 64 * 2 ** 20
export const PROCESSES = 20

/** An attack's calls, with what the kernel answered, and the container that made them. */
export interface Made {
  calls: Replayed[]
  box: Box
}

/** A container of a chapter on the attacked host: with all the parts that the chapters up to it have taught. */
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

  /** Whether one of its parts is that of a chapter; `limits` is also wanting where the kernel gives none. */
  has(part: Part): boolean {
    return this.parts.some(({ name }) => name === part.name)
  }

  /** Why it has no limits though its chapter gives it some. */
  get unlimited(): string | undefined {
    return this.has(limits) ? this.#experiment.whyNoLimits?.reason : undefined
  }

  /** Whether it sees the host's files: until it has its own root file system. */
  get seesHost(): boolean {
    return !this.has(root)
  }

  /** The host's own process ids are good for something in there. */
  get seesProcesses(): boolean {
    return !this.has(namespaces)
  }

  /** A directory that it may write to, device nodes included. */
  get scratch(): string {
    return this.seesHost ? this.host.scratch : '/dev'
  }

  /**
   * A container that makes some calls in place of its program, or right before it: with exactly the rights that the
   * program has, when everything that confines it is in place. Record them with `tape.attempt`. `input`: what it gets as its stdin.
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

  /** A container with a shell in it, or with the program given. */
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
    if (!this.has(hardening)) plan.oneStage = true // the second stage is the last chapter's, too
    linux.resources = { memory: { limit: MEMORY, swap: MEMORY }, pids: { limit: PROCESSES } }
    if (this.has(layers) && !plan.layers) onImageLayers(plan)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#experiment.close()
  }
}

/** All parts that chapters have taught so far, in the order in which the last chapter puts them together. */
export function partsUpTo(number: number, steps: readonly Step[]): Part[] {
  const taught = new Set(steps.filter(step => step.number <= number).flatMap(step => step.parts))
  return (steps.at(-1)?.parts ?? []).filter(part => taught.has(part))
}
