import { closeSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { MinilabError } from '../common/errors.ts'
import { Ledger } from '../container/ledger/ledger.ts'
import { isPart, type Part, type Plan } from '../container/part.ts'
import { dataFolder } from '../image/data-folder.ts'
import { Cgroup } from '../kernel/cgroup/cgroup.ts'
import { planCgroup, type Refused } from '../kernel/cgroup/make-cgroup.ts'
import type { Exit } from '../kernel/process/child.ts'
import type { Namespace } from '../kernel/process/procfs.ts'
import type { Replayed, Tape } from '../kernel/tape/tape.ts'
import { play, visit } from '../kernel/tape/visit.ts'
import { NO_CGROUP } from '../sandbox/cgroup.ts'
import { type Box, endStarted, startOurs, startTheirs } from './box.ts'
import type { LaunchEvent, StepListener } from './events.ts'
import { PipedShell } from './shell.ts'
import { planFor, type PlanOptions, type StepMode } from './step-plan.ts'
import type { Scene, Step } from './step.ts'
import { randomHex } from '../kernel/process/random.ts'

/** The scene until the step's own container runs. */
const NOT_BEGUN: Scene = {
  pid: 0,
  shell: { run: () => Promise.reject(new Error("the step's own container does not run yet")) },
}

/** What the stages of a step work with: it starts containers, runs code inside them, and reports everything as events. */
export class Experiment<S = object> {
  readonly id = randomHex(3)
  readonly step: Step<S>
  readonly options: StepMode
  readonly ledger = new Ledger(dataFolder())
  readonly tell: StepListener
  /** what the checks use; `pid` and `shell` are those of the step's own container, once it runs */
  readonly scene: Scene & S
  /** the containers that still run */
  readonly boxes: Box[] = []
  /** the step's own container */
  box: Box | undefined
  #begun = false
  #count = 0
  #kept: number[] = []

  constructor(step: Step<S>, options: StepMode, tell: StepListener = () => {}) {
    this.step = step
    this.options = options
    this.tell = tell
    this.scene = { ...step.scene(), ...NOT_BEGUN }
  }

  /** The tape of the step's own container, also after its end. */
  get tape(): readonly Replayed[] {
    return this.box?.tape ?? []
  }

  /** Whether the step's own container failed to start. */
  get stillborn(): boolean {
    return this.#begun && !this.box
  }

  /** Why no limits can be set here; undefined if they can. */
  get whyNoLimits(): Refused | undefined {
    const planned = planCgroup(`minilab/${this.id}`, ['memory', 'cpu', 'pids'])
    return planned instanceof Cgroup ? undefined : (NO_CGROUP.told ?? planned)
  }

  /** Plans a container of this step; makes nothing yet. */
  async plan(options: PlanOptions = {}): Promise<Plan> {
    const id = options.id ?? `${this.id}-${this.#count++}`
    const plan = await planFor(this.step, this.options, this.ledger, id, options)
    await this.step.plan?.(plan, this)
    options.change?.(plan)
    return plan
  }

  /** The parts that work here: without a cgroup of ours, limits are left out, and their stages say so. */
  parts(wanted: readonly Part[] = this.step.parts): readonly Part[] {
    return this.whyNoLimits ? wanted.filter(part => !isPart(part, 'limits')) : wanted
  }

  /** Starts the step's own container, which the checks are about. */
  async begin(): Promise<Box> {
    this.#begun = true
    const { number, name } = this.step
    this.box = await this.#start(`step ${number} ${name}`, {}, { own: this.step, teaches: this.step.teaches })
    Object.assign(this.scene, { pid: this.box.pid, shell: this.box.shell })
    return this.box
  }

  /** Starts another container beside the step's own; `purpose` names it in the report. */
  async another(purpose: string, options: PlanOptions): Promise<Box> {
    return this.#start(purpose, options, { teaches: [], quiet: true })
  }

  /** Runs a container to its end; resolves to its exit. */
  async run(purpose: string, options: PlanOptions): Promise<Exit | undefined> {
    const box = await this.another(purpose, options)
    box.shell.end()
    return box.child?.exit
  }

  /** Runs a command in a container like the step's, on our terminal or on the given descriptors; resolves to its exit. */
  async runCommand(command: string[], stdio?: Plan['stdio']): Promise<Exit> {
    const plan = { ...(await this.plan({ args: command })), ...(stdio && { stdio }) }
    const { child, tape, clone } = await this.#startOurs(plan, this.parts())
    this.#tellLaunch({ purpose: `your command: ${command.join(' ')}`, tape, clone, quiet: true }, child.pid)
    return child.exit
  }

  async #start(
    purpose: string,
    options: PlanOptions,
    how: Pick<LaunchEvent, 'own' | 'teaches' | 'quiet'>,
  ): Promise<Box> {
    const plan = await this.plan(options)
    const shell = new PipedShell()
    const [stdin, stdout, stderr] = shell.stdio
    plan.stdio = [options.input ?? stdin, stdout, stderr]
    const { runtime } = this.options
    try {
      const started =
        runtime === 'minilab'
          ? await this.#startOurs(plan, this.parts(options.parts))
          : await startTheirs(plan, this.parts(options.parts), runtime)
      const box: Box = {
        shell,
        ...started,
        end: async () => {
          const at = this.boxes.indexOf(box)
          if (at === -1) return
          this.boxes.splice(at, 1)
          shell.end()
          await endStarted(started)
        },
      }
      this.boxes.push(box)
      this.#tellLaunch({ purpose, tape: box.tape, clone: box.clone, ...how }, box.pid)
      return box
    } catch (error) {
      shell.end()
      throw error
    } finally {
      shell.closeTheirs()
    }
  }

  #startOurs(plan: Plan, parts: readonly Part[]) {
    return startOurs(plan, parts, work => this.tell({ kind: 'host', work }))
  }

  #tellLaunch(launch: Omit<LaunchEvent, 'kind'>, pid: number): void {
    this.tell({ kind: 'container', purpose: launch.purpose, pid })
    this.tell({ kind: 'launch', ...launch })
  }

  /**
   * Runs calls in a child that joins namespaces of the step's container, or of process `pid`: an action or an attack from
   * inside. If a call that `mayBeRefused` is refused, that is a result and not an error. `quiet`: the calls are in the report,
   * and the caller shows what matters of them.
   */
  async inside(
    purpose: string,
    kinds: readonly Namespace[],
    record: (tape: Tape) => void,
    { pid = this.scene.pid, mayBeRefused = [] as readonly string[], quiet = false } = {},
  ): Promise<Replayed[]> {
    return this.#remember(purpose, await visit(pid, kinds, record, mayBeRefused), quiet)
  }

  /** Runs calls in a child that is in no container. */
  async outside(purpose: string, tape: Tape, flags = 0): Promise<Replayed[]> {
    return this.#remember(purpose, await play(tape, flags))
  }

  /** Shows and reports netlink requests like a tape. */
  requests(purpose: string, log: readonly Omit<Replayed, 'part'>[]): void {
    this.#remember(
      purpose,
      log.map(request => ({ ...request, part: 'netlink' })),
    )
  }

  #remember(purpose: string, tape: Replayed[], quiet = false): Replayed[] {
    this.tell({ kind: 'launch', purpose, tape, quiet })
    return tape
  }

  /** Shows a text. */
  note(text: string): void {
    this.tell({ kind: 'note', text })
  }

  /** Shows one line as it is. */
  line(text = ''): void {
    this.tell({ kind: 'line', text })
  }

  /** Shows lines as they are under a heading: rules, or a file. */
  block(heading: string, text: readonly string[]): void {
    this.tell({ kind: 'block', heading, text })
  }

  /** Shows calls of earlier quiet launches together. */
  show(heading: string, tape: readonly Replayed[]): void {
    this.tell({ kind: 'together', heading, tape })
  }

  /** Makes an empty folder in the data folder, which is removed with the step. */
  folder(name: string): string {
    const path = join(this.ledger.dataFolder, 'containers', `${this.id}-${name}`)
    this.ledger.add({ kind: 'folder', path })
    mkdirSync(path, { recursive: true, mode: 0o755 })
    return path
  }

  /** Keeps a descriptor open for the checks; it is closed with the experiment. */
  keep(fd: number): number {
    this.#kept.push(fd)
    return fd
  }

  /** Marks the stage as limited, because something does not work here. */
  limit(reason: string, remedy: string): never {
    throw new MinilabError('limited', reason, remedy)
  }

  /** Ends all containers of the step and removes what was made on the host. */
  async close(): Promise<void> {
    for (const fd of this.#kept.splice(0)) closeSync(fd)
    const failures: unknown[] = []
    const failed = (error: unknown) => void failures.push(error)
    for (const box of [...this.boxes]) await box.end().catch(failed)
    await this.ledger.settle().catch(failed) // also ends the processes that are left in our cgroups
    if (failures.length > 0) throw failures[0]
  }
}
