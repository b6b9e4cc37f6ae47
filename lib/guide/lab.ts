import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { MinilabError } from '../common/errors.ts'
import { asTyped } from './as-typed.ts'
import { defaultSpec } from '../container/default-spec.ts'
import { hardening } from '../container/parts/hardening.ts'
import { Ledger } from '../container/ledger/ledger.ts'
import { limits } from '../container/parts/limits.ts'
import type { Container, Part, Plan } from '../container/part.ts'
import type { Spec } from '../container/spec.ts'
import { root } from '../container/parts/root.ts'
import { unsheltered } from '../sandbox/shelter.ts'
import { nothingMade, startParts, type Started } from '../container/start.ts'
import { dataFolder } from '../image/data-folder.ts'
import { findImage, plannedLayers } from '../image/store.ts'
import { Cgroup, thaw } from '../kernel/cgroup/cgroup.ts'
import { type Child, shellStatus } from '../kernel/process/child.ts'
import { planCgroup, type Refused } from '../kernel/cgroup/make-cgroup.ts'
import type { Replayed, Tape } from '../kernel/tape/tape.ts'
import { play, visit } from '../kernel/tape/visit.ts'
import type { Namespace } from '../kernel/process/procfs.ts'
import type { Feed } from './feed.ts'
import type { Presenter } from './present.ts'
import { startForeign } from './runtime.ts'
import { PipedShell } from './shell.ts'
import type { Scene, Step } from './step.ts'
import { type HostWork, type Launch, timed, type Timeline } from './timeline.ts'

export interface LabOptions {
  rootless: boolean
  runtime: string
  keep: boolean
  presenter: Presenter
  /** what tells viewers in other processes */
  feed?: Feed
}

/** A container of a step: a shell that does what it is told. */
export interface Box {
  container: Container
  pid: number
  shell: PipedShell
  /** ours only: the child, which can be waited for */
  child: Child | undefined
  tape: Replayed[]
  clone: Replayed | undefined
  end(): Promise<void>
}

/** How a container of a step differs from the step's own. */
export interface BoxOptions {
  parts?: readonly Part[]
  args?: string[]
  change?(plan: Plan): void
  /** nothing may be made, not even the default image: for `--dry-run` */
  dry?: boolean
  /** the image is needed even where the step itself uses the host's own files: for a runtime other than ours */
  image?: boolean
  /** its name, where it shall be the same each time */
  id?: string
}

/** What the stages of a step work with: they start containers by it, and look from inside; it remembers every tape. */
export class Lab<S = object> {
  readonly id = randomBytes(3).toString('hex')
  readonly step: Step<S>
  readonly options: LabOptions
  readonly ledger: Ledger
  readonly launches: Launch[] = []
  readonly #host: HostWork[] = []
  readonly boxes: Box[] = []
  /** what the checks look at; `pid` and `shell` are there once the step's own container runs */
  readonly scene: Scene & S
  readonly presenter: Presenter
  /** the tape of the step's own container, also after its end */
  get tape(): readonly Replayed[] {
    return this.#tape
  }
  #tape: readonly Replayed[] = []
  /** What was done so far, and when. */
  get timeline(): Timeline {
    const { tape, box, launches } = this
    const own = tape.length > 0 ? { purpose: 'the step’s own container', tape, clone: box?.clone } : undefined
    return { step: this.step, own, launches, host: this.#host }
  }

  #begun = false
  /** whether the step's own container was to start, and did not */
  get stillborn(): boolean {
    return this.#begun && !this.box
  }

  /** the step's own container */
  box: Box | undefined
  #count = 0

  constructor(step: Step<S>, options: LabOptions) {
    this.step = step
    this.options = options
    this.presenter = options.presenter
    this.ledger = new Ledger(dataFolder())
    this.scene = Object.assign(step.scene() as object, { pid: 0 }) as Scene & S
  }

  /** Why there can be no limits here; undefined where there can. */
  get refused(): Refused | undefined {
    const planned = planCgroup(`minilab/${this.id}`, ['memory', 'cpu', 'pids'])
    return planned instanceof Cgroup ? undefined : (unsheltered() ?? planned)
  }

  /** Starts the step's own container, the one that the checks are about, and shows its tape. */
  async begin(): Promise<Box> {
    this.#begun = true
    const { number, name, teaches } = this.step
    this.box = await this.start(`step ${number} ${name}`, {}, teaches)
    this.scene.pid = this.box.pid
    this.scene.shell = this.box.shell
    this.#tape = this.box.tape
    this.presenter.tape(this.step, this.#tape, this.box.clone)
    return this.box
  }

  /** Another container, beside the step's own; `purpose` names it in the report. */
  async another(purpose: string, options: BoxOptions): Promise<Box> {
    const box = await this.start(purpose, options)
    this.launches.push({ purpose, tape: box.tape, clone: box.clone })
    return box
  }

  /** A container that runs to its end; resolves to how it ended. */
  async run(purpose: string, options: BoxOptions) {
    const box = await this.another(purpose, options)
    box.shell.end()
    return box.child ? box.child.exit : undefined
  }

  /**
   * Calls made in a child that joins namespaces of the step's container: an act, or an attack, from inside. `pid`: of
   * another's. Where a call is refused that `mayBeRefused`, that is what the experiment found out, and no error. `quiet`:
   * it is in the report, and whoever calls shows what matters of it.
   */
  async inside(
    purpose: string,
    kinds: readonly Namespace[],
    record: (tape: Tape) => void,
    { pid = this.scene.pid, mayBeRefused = [] as readonly string[], quiet = false } = {},
  ): Promise<Replayed[]> {
    return this.remember(purpose, await visit(pid, kinds, record, mayBeRefused), quiet)
  }

  /** Calls made in a child that is in no container. */
  async outside(purpose: string, tape: Tape, flags = 0): Promise<Replayed[]> {
    return this.remember(purpose, await play(tape, flags))
  }

  /** An empty folder in the data folder that goes with the step. */
  folder(name: string): string {
    const path = join(this.ledger.dataFolder, 'containers', `${this.id}-${name}`)
    this.ledger.add({ kind: 'folder', path })
    mkdirSync(path, { recursive: true, mode: 0o755 })
    return path
  }

  /** A descriptor that the checks still need: closed with the lab. */
  keep(fd: number): number {
    this.#kept.push(fd)
    return fd
  }
  #kept: number[] = []

  /** Netlink requests that were made for the step, shown and reported like a tape. */
  requests(purpose: string, log: readonly Omit<Replayed, 'part'>[]): void {
    this.remember(
      purpose,
      log.map(request => ({ ...request, part: 'netlink' })),
    )
  }

  private remember(purpose: string, tape: Replayed[], quiet = false): Replayed[] {
    this.launches.push({ purpose, tape })
    this.options.feed?.launch(purpose, tape)
    if (!quiet) this.presenter.launch(purpose, tape)
    return tape
  }

  /** The description of a container of this step; nothing is made yet. */
  async plan(options: BoxOptions = {}): Promise<Plan> {
    const { rootless } = this.options
    const id = options.id ?? `${this.id}-${this.#count++}`
    // steps 1 and 2 use the host's own files; another runtime always needs a root file system
    const ownRoot =
      this.step.parts.some(part => part.name === root.name) ||
      this.options.runtime !== 'minilab' ||
      options.image
    const layers = options.dry ? plannedLayers('default') : ownRoot ? (await findImage('default')).layers : []
    const rootfs = ownRoot ? (layers.at(-1) ?? '/') : '/'
    const spec: Spec = defaultSpec(rootfs, ['/bin/sh'], rootless)
    spec.linux.cgroupsPath = `/minilab/${id}`
    const plan: Plan = { id, spec, rootfs: spec.root.path, ledger: this.ledger, diesWithUs: true }
    const parts = options.parts ?? this.step.parts
    // what no part of this step looks at must not be promised to another runtime either
    if (!parts.some(part => part.name === hardening.name)) {
      delete spec.process.capabilities
      spec.process.noNewPrivileges = false
    }
    this.step.spec?.(spec, { rootless })
    if (options.args) spec.process.args = options.args
    await this.step.plan?.(plan, this)
    options.change?.(plan)
    return plan
  }

  /** The parts that can be had here: without a cgroup of our own, limits are left out, and their stages say so. */
  parts(wanted: readonly Part[] = this.step.parts): readonly Part[] {
    return this.refused ? wanted.filter(part => part.name !== limits.name) : wanted
  }

  private async start(purpose: string, options: BoxOptions, teaches: readonly string[] = []): Promise<Box> {
    const plan = await this.plan(options)
    const shell = new PipedShell()
    plan.stdio = shell.stdio
    const { runtime, feed } = this.options
    try {
      const started =
        runtime === 'minilab'
          ? await this.ours(plan, this.parts(options.parts))
          : await this.theirs(plan, runtime)
      const box: Box = { shell, ...started, end: () => this.end(box) }
      this.boxes.push(box)
      feed?.container(purpose, box.pid)
      feed?.launch(purpose, box.tape, { teaches, clone: box.clone })
      return box
    } catch (error) {
      shell.end()
      throw error
    } finally {
      shell.closeTheirs()
    }
  }

  private async ours(plan: Plan, parts: readonly Part[]) {
    const { container, child, tape, clone }: Started = await startParts(timed(parts, this.#host), plan)
    return { container, pid: child.pid, child, tape, clone, remove: async () => void (await child.exit) }
  }

  private async theirs(plan: Plan, runtime: string) {
    const foreign = await startForeign(runtime, plan, join(dataFolder(), 'containers'))
    return { ...foreign, container: nothingMade(plan), child: undefined, tape: [], clone: undefined }
  }

  private async end(box: Box & { remove?(): Promise<void> }): Promise<void> {
    const at = this.boxes.indexOf(box)
    if (at === -1) return
    this.boxes.splice(at, 1)
    box.shell.end()
    box.child?.kill('SIGKILL')
    if (box.container.cgroup) thaw(box.pid) // it may be frozen, and then it would not die
    await box.remove?.()
  }

  /** Runs the learner's own command in a container like the step's, on our own terminal. */
  async runCommand(command: string[]): Promise<void> {
    this.presenter.line(`      $ ${command.join(' ')}`)
    const plan = await this.plan({ args: command })
    // `--json` keeps stdout for its one document
    if (this.presenter.quiet) plan.stdio = [0, 2, 2]
    const { child, tape, clone } = await startParts(timed(this.parts(), this.#host), plan)
    const purpose = `your command: ${command.join(' ')}`
    this.launches.push({ purpose, tape, clone })
    this.options.feed?.container(purpose, child.pid)
    this.options.feed?.launch(purpose, tape, { clone })
    const status = shellStatus(await child.exit)
    this.presenter.line(`      exit status ${status}`)
  }

  /** `--keep`: the container stays until Enter is pressed, or nobody is there to press it; to be looked at from another terminal. */
  async keepUntilEnter(): Promise<void> {
    const { pid } = this.scene
    const said = `The container stays: its first process is ${pid}. In another terminal: minilab look ${pid}, ls /proc/${pid}, or nsenter -t ${pid} -a ${this.options.rootless ? '--preserve-credentials ' : ''}/bin/sh`
    process.stderr.write(`${asTyped(said)}\nEnter ends it. `)
    await Promise.race([once(process.stdin, 'data'), once(process.stdin, 'end')])
    process.stdin.pause()
  }

  /** Says that something cannot be had here; the stage is then marked limited. */
  limit(reason: string, remedy: string): never {
    throw new MinilabError('limited', reason, remedy)
  }

  /** Ends all containers of the step and takes back what was made on the host. */
  async close(): Promise<string[]> {
    for (const fd of this.#kept.splice(0)) closeSync(fd)
    const failures: unknown[] = []
    for (const box of [...this.boxes]) await box.end().catch(error => failures.push(error))
    const removed = await this.ledger.settle() // ends what is left in a cgroup of ours, too
    if (failures.length > 0) throw failures[0]
    return removed
  }
}
