import { openFile } from '../common/descriptor.ts'
import { codeOf } from '../common/error-code.ts'
import { parseJson } from '../common/json.ts'
import { readPart, readRegular } from '../common/regular-file.ts'
import type { Of, Shape } from '../common/shape.ts'
import { ourselves } from '../common/ourselves.ts'
import { closeSync, constants, fstatSync, ftruncateSync, openSync, rmSync } from 'node:fs'
import { join, normalize } from 'node:path'
import { denySocketPaths } from '../sandbox/cgroup-programs.ts'
import type { JobProcess } from '../sandbox/jobs.ts'
import { makeDataCopy, type DataCopy } from '../guide/data-copy.ts'
import { dataFolder } from '../image/data-folder.ts'
import type { Exit } from '../kernel/process/child.ts'
import { MinilabError } from '../common/errors.ts'
import type { Exercise } from './exercise.ts'
import { placeAt } from './learners-line.ts'
import type { Problem } from './problem.ts'
import type { TrialRequest } from './trial-in-sandbox.ts'
import { ENDLESS, isStuck, isTrial, STUCK_FILE, TRIAL_FILE } from './trial-files.ts'
import { TrialRelay } from './trial-relay.ts'
import { TRIALS } from './trial-jobs.ts'

/** Time limit of a trial, in milliseconds: code that waits for ever is no endless loop, so the watchdog does not find it. */
const LIMIT = Number(process.env.MINILAB_TRIAL_LIMIT ?? 60_000)

/** How much memory the learner's JavaScript may use, in MiB. */
const HEAP = 512

const OUTPUT_FILE = 'said.txt'
const MOST_OUTPUT = 4000 // characters
const LAST_OUTPUT = 16384 // bytes: enough for Node's message about why it died
const LARGEST_TRIAL = 2 ** 24 // bytes

/** The results of a trial, and what the code printed. */
export interface TriedOut extends Of<typeof isTrial> {
  said: string
}

/**
 * A sandbox for trials: a minilab process in it has the lab loaded and waits for code. Everything that this code can damage is
 * in the sandbox and ends with it. Close it with `await using`.
 */
export class TrialSandbox implements AsyncDisposable {
  readonly #data: DataCopy
  readonly #jobs: JobProcess<TrialRequest>
  readonly #output: number
  readonly #relay: TrialRelay

  private constructor(data: DataCopy, jobs: JobProcess<TrialRequest>, output: number, relay: TrialRelay) {
    this.#relay = relay
    this.#data = data
    this.#jobs = jobs
    this.#output = output
  }

  /** Throws if the machine lacks what a sandbox needs. */
  static async open(
    { number, image }: Pick<Exercise, 'number' | 'image'>,
    rootless: boolean,
  ): Promise<TrialSandbox> {
    const data = await makeDataCopy(image ?? 'below an overlay')
    const { files, cgroup } = data
    if ('around' in cgroup) denySocketPaths(cgroup.around)
    const output = openSync(join(files.copy, OUTPUT_FILE), 'a+')
    using nothing = openFile('/dev/null', 'r')
    const relay = new TrialRelay()
    try {
      // stripTypeScriptTypes() is experimental and says so; what the learner's code prints is to be theirs
      const args = ourselves(
        ['check', String(number)],
        [`--max-old-space-size=${HEAP}`, '--disable-warning=ExperimentalWarning'],
      )
      const env = { ...process.env, MINILAB_DATA: dataFolder() }
      const stdio: [number, number, number] = [nothing.fd, output, output]
      const jobs = await TRIALS.start(
        { kind: 'protected', root: !rootless, files, cgroup },
        { args, env, stdio, ...relay.handed },
      )
      relay.closeTheirs()
      return new TrialSandbox(data, jobs, output, relay)
    } catch (error) {
      closeSync(output)
      relay.closeTheirs()
      relay.close()
      await data[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Resolves when the lab is loaded. */
  ready(): Promise<void> {
    return this.#jobs.ready()
  }

  /** Whether it can be used again: nothing that was tried there has changed the conditions of the next trial. */
  get fresh(): boolean {
    return this.#jobs.alive && !this.#spoiled
  }
  #spoiled = false

  /** Tries the learner's code; resolves to the results. Throws if the folder cannot be used, or when `signal` ends it. */
  async try(request: TrialRequest, signal?: AbortSignal): Promise<TriedOut> {
    if (`${request.folder}/`.startsWith(`${dataFolder()}/`))
      throw new MinilabError(
        'usage',
        `the workspace ${request.folder} lies in minilab's own data folder, which is exchanged for the trial`,
        'move it, or set MINILAB_DATA to another folder',
      )
    const { copy } = this.#data.files
    for (const name of [TRIAL_FILE, STUCK_FILE]) rmSync(join(copy, name), { force: true })
    ftruncateSync(this.#output)
    signal?.throwIfAborted()
    const end = () => this.#jobs.end()
    signal?.addEventListener('abort', end, { once: true })
    this.#relay.begin(dataFolder())
    const { exit, late } = await this.#jobs.do(request, LIMIT)
    await this.#relay.end()
    signal?.removeEventListener('abort', end)
    signal?.throwIfAborted()
    const output = outputIn(this.#output)
    const trial = read(join(copy, TRIAL_FILE), isTrial) ?? { tapes: {}, host: [], spoiled: [] }
    this.#spoiled = exit !== undefined || !request.shared || trial.spoiled.length > 0
    const problem = trial.report
      ? trial.problem
      : (trial.problem ?? problemOf(exit, late, output, request, copy))
    return { ...trial, ...(problem && { problem }), said: output.slice(0, MOST_OUTPUT) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#jobs[Symbol.asyncDispose]()
    this.#relay.close()
    closeSync(this.#output)
    await this.#data[Symbol.asyncDispose]()
  }
}

/**
 * Sandboxes for trials of one lab. `once`: each trial has its own sandbox. `ahead`: also, but the next one is prepared between
 * trials, so that a trial starts sooner. `shared`: a sandbox is used again as long as it is fresh.
 */
export class Trials implements AsyncDisposable {
  readonly #open: () => Promise<TrialSandbox>
  readonly #kind: 'once' | 'ahead' | 'shared'
  #next: Promise<TrialSandbox> | undefined

  constructor(exercise: Exercise, rootless: boolean, kind: 'once' | 'ahead' | 'shared') {
    this.#open = () => TrialSandbox.open(exercise, rootless)
    this.#kind = kind
  }

  /** As TrialSandbox.try. */
  async try(request: TrialRequest, signal?: AbortSignal): Promise<TriedOut> {
    await this.#leaving
    let sandbox = await (this.#next ?? this.#open())
    this.#next = undefined
    if (!sandbox.fresh) {
      await sandbox[Symbol.asyncDispose]() // it died while it waited
      sandbox = await this.#open()
    }
    try {
      return await sandbox.try({ ...request, shared: this.#kind === 'shared' }, signal)
    } finally {
      if (this.#kind === 'shared' && sandbox.fresh) this.#next = Promise.resolve(sandbox)
      else this.#leave(sandbox) // do not make the verdict wait for that
      if (this.#kind === 'ahead') void this.prepare()
    }
  }

  /** Closes a sandbox. If that fails, the next trial or the end throws the error. */
  #leave(sandbox: TrialSandbox): void {
    this.#leaving = sandbox[Symbol.asyncDispose]()
    this.#leaving.catch(() => {})
  }
  #leaving: Promise<void> | undefined

  /** Prepares a sandbox; if that fails, the next trial throws the error. Resolves when there is nothing left to wait for. */
  async prepare(): Promise<void> {
    this.#next ??= this.#open()
    const sandbox = await this.#next.catch(() => undefined)
    await sandbox?.ready()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const sandbox = await this.#next?.catch(() => undefined)
    await sandbox?.[Symbol.asyncDispose]()
    await this.#leaving
  }
}

/** Why the process ended without a result. */
function problemOf(
  exit: Exit | undefined,
  late: boolean,
  output: string,
  { folder }: TrialRequest,
  copy: string,
): Problem {
  const stuck = read(join(copy, STUCK_FILE), isStuck)
  if (exit?.status === ENDLESS && stuck) {
    const frame = stuck.find(({ file }) => file.startsWith(`${folder}/`) && file === normalize(file))
    const at = frame && placeAt(frame.file, frame.line)
    return { what: 'it runs without end', ...(at && { at }), remedy: 'let that loop come to an end' }
  }
  if (late)
    return {
      what: `it had not come to an end after ${LIMIT / 1000} s`,
      remedy: 'what does it wait for, that never comes?',
    }
  if (/heap out of memory|Allocation failed/.test(output))
    return {
      what: `it used more than ${HEAP} MiB of memory`,
      remedy: 'what does it keep, that grows for ever?',
    }
  if (!exit)
    return { what: 'it said nothing of what it found', remedy: 'what has written to the data folder?' }
  const how = exit.signal ? `signal ${exit.signal}` : `exit status ${exit.status}`
  return {
    what: `its process ended by ${how} before there was a container to look at`,
    remedy: 'what has ended it?',
  }
}

/** The beginning and the end of what the code printed. We opened the file before the code ran, because the code may replace it. */
function outputIn(fd: number): string {
  const { size } = fstatSync(fd)
  const begin = readPart(fd, 0, 4 * MOST_OUTPUT)
  const end = readPart(fd, Math.max(begin.length, size - LAST_OUTPUT), LAST_OUTPUT)
  return begin.toString() + end.toString()
}

/**
 * A result of the sandbox; undefined if it is missing or malformed: the code may have put a link, a FIFO or a directory there,
 * or ended the process during the write.
 */
function read<T>(path: string, shape: Shape<T>): T | undefined {
  try {
    const content = readRegular(path, LARGEST_TRIAL, constants.O_NOFOLLOW)
    return typeof content === 'object' ? parseJson(content.toString(), shape) : undefined
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    return undefined
  }
}
