import type { Part, Plan } from '../container/part.ts'
import type { Spec } from '../container/spec.ts'
import type { Replayed } from '../kernel/tape/tape.ts'
import type { Chapter } from './chapters.ts'
import type { Experiment } from './experiment.ts'
import type { Refusal } from './refusal.ts'

/** What a check read: the source, and what it shows for the host and for the container. */
export interface Evidence {
  source: string
  host: string | null
  container: string | null
  /** why it is not what one would expect */
  note?: string
}

/** The result of a check. `limited` says why it could not be made here; then `ok` means nothing. */
export interface Finding {
  ok: boolean | null
  evidence: Evidence[]
  /** if it failed: what was seen instead, and the likeliest reason */
  diagnosis?: string
  limited?: string
}

/** One claim about the running container, decided by what the kernel says, never by what our library returned. */
export interface Check<S = object> {
  id: string
  claim: string
  look(scene: Scene & S): Finding | Promise<Finding>
}

/** What every check may use: the container's first process, as numbered on the host, and a shell inside. */
export interface Scene {
  pid: number
  shell: Shell
}

/** A shell inside the container that runs commands; what it prints is evidence from inside. */
export interface Shell {
  /** Runs a command line; resolves to its output (stdout and stderr) and its exit status. */
  run(command: string): Promise<{ output: string; status: number }>
}

/** A question whose answer is the value that the stage is about to read. It counts, but a wrong answer stops nothing. */
export interface Prediction<S = object> {
  question: string
  choices: string[]
  /** the right one of `choices`, read from the kernel after the stage has acted */
  answer(scene: Scene & S): string | Promise<string>
  /** one sentence that explains the answer */
  why: string
}

/** A part of a step: explain, predict, run, look at the evidence. */
export interface Stage<S = object> {
  /** also the title of its section in the book, whose first paragraph explains the stage */
  title: string
  /** where the code that it is about is defined */
  source?: { file: string; symbol: string }
  /** what to read about its calls and files: `pivot_root(2)`, or `linux/Documentation/…` */
  manual?: string[]
  predict?: Prediction<S>
  /** whether it is known in advance not to work here: then no question is asked */
  impossible?(experiment: Experiment<S>): boolean
  /** the calls of the step's own container that this stage explains: they are shown here, not when they are made */
  shows?(call: Replayed): boolean
  /** does the stage's work; the first stage that needs the step's own container calls `experiment.begin()` */
  act?(experiment: Experiment<S>): Promise<void>
  checks?: Check<S>[]
}

export interface Step<S = object> extends Chapter {
  /** the parts of its own container, in the order in which the child applies them */
  parts: readonly Part[]
  /** the part that this step teaches: its calls are printed in full, those of earlier steps in a summary */
  teaches: string[]
  /** what the step changes in the default spec */
  spec?(spec: Spec, experiment: { rootless: boolean }): void
  /** further preparations of its container that are not in the spec: layers, network */
  plan?(plan: Plan, experiment: Experiment<S>): void | Promise<void>
  stages: Stage<S>[]
  /** the most important calls, which are marked */
  matters?(call: Replayed): boolean
  /** refusals that the step's own container expects, by errno, each with a sentence that explains it */
  expected?: Record<string, string>
  /** the initial values of what the experiments measure */
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
  /** stages that do not fully work on this machine or in this mode, each with the reason */
  limited: { stage: string; reason: string; remedy: string }[]
  /** the predictions that were asked for, each with the learner's answer and the kernel's */
  predictions: { question: string; said: string; answer: string }[]
  /** what stopped a step that was built wrongly; later checks are not among `checks` */
  refused?: Refusal
}

/**
 * A system call as a child made it; for something that we asked the kernel ourselves: a netlink message, a directory, a control
 * file.
 */
export interface TapeEntry {
  call: string
  args: string
  result: number | null
  errno: string | null
  /**
   * when it began, in nanoseconds since just before the clone3 that made the child, so the first entry's value is how long that
   * took. Null if we asked ourselves. `start + ns` is the next entry's `start`
   */
  start: number | null
  /** nanoseconds until the next call began; for the last one, until the parent's clone3 (CLONE_VFORK) returned */
  ns: number
}
