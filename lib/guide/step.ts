import type { Part, Plan } from '../container/part.ts'
import type { Spec } from '../container/spec.ts'
import type { Replayed } from '../kernel/tape/tape.ts'
import type { Chapter } from './chapters.ts'
import type { Experiment } from './experiment.ts'
import type { Refusal } from './refusal.ts'

/** What a check read: where, and what stands there for the host and for the container. */
export interface Evidence {
  source: string
  host: string | null
  container: string | null
  /** why it is not what one would expect */
  note?: string
}

/** What a check found. `limited` says why it could not be looked at here; `ok` is then neither true nor false. */
export interface Finding {
  ok: boolean | null
  evidence: Evidence[]
  /** where it is not ok: what was seen instead, and the likeliest reason */
  diagnosis?: string
  limited?: string
}

/** One claim about the running container, judged by the kernel and never by what our own library returned. */
export interface Check<S = object> {
  id: string
  claim: string
  look(scene: Scene & S): Finding | Promise<Finding>
}

/** What every check may look at: the container's first process as the host numbers it, and a shell inside. */
export interface Scene {
  pid: number
  shell: Shell
}

/** A shell inside the container that answers questions; what it prints is evidence from within. */
export interface Shell {
  /** Runs a command line; resolves to what it printed (stdout and stderr) and its status. */
  run(command: string): Promise<{ output: string; status: number }>
}

/** A question whose answer is the live value that is about to be read. Scored, never blocking. */
export interface Prediction<S = object> {
  question: string
  choices: string[]
  /** the right one of `choices`, read from the kernel after the stage has acted */
  answer(scene: Scene & S): string | Promise<string>
  /** one sentence that explains it */
  why: string
}

/** A piece of a step: explain, predict, run, look at the evidence. */
export interface Stage<S = object> {
  /** as its section in the book, whose first paragraph explains it */
  title: string
  /** where the code that it speaks of is */
  source?: { file: string; symbol: string }
  /** what to read of the calls and files that it speaks of: `pivot_root(2)`, or `linux/Documentation/…` */
  manual?: string[]
  predict?: Prediction<S>
  /** whether it is known before that it cannot be had here: then nothing is asked */
  impossible?(experiment: Experiment<S>): boolean
  /** those calls of the step's own container that this stage explains: they are shown here, and not where it is made */
  shows?(call: Replayed): boolean
  /** what happens; the first stage that needs the step's own container calls `experiment.begin()` */
  act?(experiment: Experiment<S>): Promise<void>
  checks?: Check<S>[]
}

export interface Step<S = object> extends Chapter {
  /** the parts of its own container, in the order in which the child applies them */
  parts: readonly Part[]
  /** the part that this step teaches: its calls are printed in full, those of earlier steps summed up */
  teaches: string[]
  /** what the step changes in the default spec */
  spec?(spec: Spec, experiment: { rootless: boolean }): void
  /** further preparations of its container that are no matter of the spec: layers, network */
  plan?(plan: Plan, experiment: Experiment<S>): void | Promise<void>
  stages: Stage<S>[]
  /** the calls that matter most: they are marked */
  matters?(call: Replayed): boolean
  /** refusals of the kernel that the step's own container expects, by errno, in a sentence each */
  expected?: Record<string, string>
  /** what the experiments measured, before they have */
  scene(): S
  recap: string
  next: string
}

/** The document that `minilab step N --json` prints. */
export interface Report {
  step: number
  title: string
  mode: 'root' | 'rootless'
  runtime: string
  ok: boolean
  ms: number
  tape: TapeEntry[]
  checks: {
    id: string
    claim: string
    ok: boolean | null
    limited: string | null
    evidence: Evidence[]
    diagnosis: string | null
  }[]
  host: { changed: string[]; left: string[] }
  launches: { purpose: string; tape: TapeEntry[] }[]
  /** stages that this machine or mode cannot run whole, each with its reason */
  limited: { stage: string; reason: string; remedy: string }[]
  /** the predictions that were asked for: what was said, and what the kernel then said */
  predictions: { question: string; said: string; answer: string }[]
  /** what stopped a step that was built wrongly; the checks from there on are not among `checks` */
  refused?: Refusal
}

/** A system call as a child made it; of what we asked the kernel ourselves a netlink message, a directory, a control file. */
export interface TapeEntry {
  call: string
  args: string
  result: number | null
  errno: string | null
  /**
   * when it began: nanoseconds from just before the clone3 that made the child, so the first entry's is how long that took.
   * Null where we asked ourselves. `start + ns` is the next one's `start`
   */
  start: number | null
  /** nanoseconds, until the next call began; of the last, until the parent's clone3 (CLONE_VFORK) came back */
  ns: number
}
