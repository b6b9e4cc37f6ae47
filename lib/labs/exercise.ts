import type { Chapter } from '../guide/chapters.ts'
import type { ImageUse } from '../guide/data-copy.ts'
import type { Step } from '../guide/step.ts'
import type { Tape } from '../kernel/tape/tape.ts'

/** What a lab goes by; a folder or a report that a learner has can name one that does not exist. */
export interface LabName {
  number: number
  name: string
}

/** One thing to write, of 5 to 20 minutes. It is passed when its checks hold for the container that the learner's code makes. */
export interface Task {
  /** in a word: `pivot` */
  id: string
  /** what to do, as an order: `Make the image its root` */
  title: string
  /** one paragraph; `code` in backquotes */
  text: string
  /** the ids of those checks of the built step that must hold */
  checks: string[]
  /** a nudge; which call; almost the line */
  hints: [nudge: string, call: string, line: string]
  /** the refused calls, as they are printed, that belong to it, where `reasons` do not tell */
  refused?: RegExp
  /** the exported name that it is about; the part, unless given */
  writes?: string
  /** what it records where that is not the chapter's part: its tape is shown beside the reference's */
  record?(tape: Tape, exported: Exported): void
}

/** Why the reference makes a call, and why there: said where the learner's tape lacks it, or has it elsewhere. */
export interface Reason {
  /** how the call begins, as it is printed: `umount2(`, `mount("proc"`; the first that fits a call counts */
  call: string
  /** the task that asks for it: before that it is not missed */
  task: string
  /** one or two sentences */
  why: string
}

/** What the learner's file exports. */
export type Exported = Record<string, unknown>

/** The part of the container that a learner writes with a chapter, in a file of one screen that grows task by task. */
export interface Exercise<S = object> extends Chapter {
  /** what one can do after it, in a sentence or two */
  goal: string
  /** what to read: `pivot_root(2)` */
  manPages: string[]
  /** what the file has to export, and what each is: the part that takes the place of ours, by our part's name */
  exports: Record<string, 'function' | 'list' | { part: string }>
  tasks: Task[]
  /** for who wants more: nothing checks it */
  challenge: string
  reasons: Reason[]
  /** calls, as they are printed, that change nothing of what is asked: a difference that need not be explained */
  harmless?: RegExp
  /** what its containers do with the image; unless given, they lie on it with an overlay, as those of chapter 5 on */
  image?: ImageUse
  /** whether the part does something on the host: it is shown beside the reference's, too */
  onHost?: boolean
  /** the chapter's step, made with what the learner wrote; its parts are in their places already */
  build?(step: Step<S>, exported: Exported): Step<S>
}

/** The exported name of the part, where there is one. */
export const partOf = ({ exports }: Pick<Exercise, 'exports'>): string | undefined =>
  Object.entries(exports).find(([, kind]) => typeof kind === 'object')?.[0]
