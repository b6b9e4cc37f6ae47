import type { Chapter } from '../guide/chapters.ts'
import type { ImageUse } from '../guide/data-copy.ts'
import type { Step } from '../guide/step.ts'
import type { Tape } from '../kernel/tape/tape.ts'

/** What identifies a lab. A learner's folder or report can name one that does not exist. */
export interface LabName {
  number: number
  name: string
}

/** One thing to write, in 5 to 20 minutes. It is passed when its checks hold for the container that the learner's code makes. */
export interface Task {
  /** one word: `pivot` */
  id: string
  /** what to do, in the imperative: `Make the image its root` */
  title: string
  /** one paragraph; `code` in backquotes */
  text: string
  /** the ids of the checks of the built step that must hold */
  checks: string[]
  /** three hints: a nudge, the call to use, almost the line itself */
  hints: [nudge: string, call: string, line: string]
  /** the refused calls, as printed, that belong to this task, if `reasons` do not tell */
  refused?: RegExp
  /** the exported name that it is about; by default the part */
  writes?: string
  /** records its own tape, if that is not the chapter's part; it is shown beside the reference's */
  record?(tape: Tape, exported: Exported): void
}

/** Why the reference makes a call at its place. Shown if the learner's tape lacks it, or has it elsewhere. */
export interface Reason {
  /** the beginning of the call as printed: `umount2(`, `mount("proc"`; the first reason that matches a call counts */
  call: string
  /** the task that asks for it; for earlier tasks it is not missing */
  task: string
  /** one or two sentences */
  why: string
}

/** What the learner's file exports. */
export type Exported = Record<string, unknown>

/** The part of the container that a learner writes in a chapter, in a file of one screen that grows with each task. */
export interface Exercise<S = object> extends Chapter {
  /** what the learner can do after it, in a sentence or two */
  goal: string
  /** what to read: `pivot_root(2)` */
  manPages: string[]
  /** what the file must export, and the type of each; `part`: it replaces our part of that name */
  exports: Record<string, 'function' | 'list' | { part: string }>
  tasks: Task[]
  /** for learners who want more; no check tests it */
  challenge: string
  reasons: Reason[]
  /** calls, as printed, that do not affect the result: a difference in them is not explained */
  harmless?: RegExp
  /** how its containers use the image; by default with an overlay on it, as from chapter 5 on */
  image?: ImageUse
  /** whether the part does something on the host, which is then shown beside what the reference does */
  onHost?: boolean
  /** the chapter's step with the learner's code; the learner's parts are already in it */
  build?(step: Step<S>, exported: Exported): Step<S>
}

/** The exported name of the part; undefined if there is none. */
export const partOf = ({ exports }: Pick<Exercise, 'exports'>): string | undefined =>
  Object.entries(exports).find(([, kind]) => typeof kind === 'object')?.[0]
