import type { Replayed } from '../kernel/tape/tape.ts'
import type { HostWork } from './timeline.ts'
import type { Check, Finding, Report, Stage, Step } from './step.ts'

/** What happens in a step. Presenters, viewers, the report and the timeline know nothing but these events. */
export type StepEvent =
  | { kind: 'step'; step: AnyStep; mode: Report['mode']; runtime: string; trial: string | null }
  | { kind: 'stage'; step: AnyStep; stage: AnyStage; number: number; of: number }
  /** a question is about to be asked */
  | { kind: 'question' }
  /** the stage acts from here on; whether a question was asked before */
  | { kind: 'act'; stage: AnyStage; asked: boolean }
  /** a container runs; what it is for, and its first process */
  | { kind: 'container'; purpose: string; pid: number }
  | LaunchEvent
  /** those calls of the step's own container that a stage explains are to be seen */
  | { kind: 'calls'; step: AnyStep; stage: AnyStage; tape: readonly Replayed[] }
  /** a stage or a part of it cannot be had here */
  | { kind: 'limited'; stage: AnyStage; reason: string; remedy: string }
  | { kind: 'check'; check: Pick<Check, 'id' | 'claim'>; finding: Finding }
  | { kind: 'prediction'; question: string; said: string; answer: string; why: string }
  /** calls that were launched quietly, put together by a stage */
  | { kind: 'together'; heading: string; tape: readonly Replayed[] }
  /** words, lines, and lines under a heading that a stage shows */
  | { kind: 'note'; text: string }
  | { kind: 'line'; text: string }
  | { kind: 'block'; heading: string; text: readonly string[] }
  /** what we did on the host for a part of a container */
  | { kind: 'host'; work: HostWork }
  /** all stages are over; the containers still run */
  | { kind: 'over'; ok: boolean }
  /** everything was taken back */
  | { kind: 'end'; step: AnyStep; report: Report }

/** A child was made, and this is what it did; or what we asked of the kernel ourselves. */
export interface LaunchEvent {
  kind: 'launch'
  purpose: string
  tape: readonly Replayed[]
  /** the clone3 that made it, where it became a container */
  clone?: Replayed | undefined
  /** of the step's own container: the step, which says how it is shown */
  own?: AnyStep
  /** the parts whose calls are told in full; all, unless given */
  teaches?: readonly string[]
  /** it is told and reported; a stage shows what matters of it */
  quiet?: boolean
}

/** A step or stage as listeners see it: nothing of it is called by them. */
type AnyStep = Pick<
  Step,
  'number' | 'name' | 'title' | 'parts' | 'teaches' | 'matters' | 'expected' | 'recap' | 'next'
> & { stages: readonly AnyStage[] }
type AnyStage = Pick<Stage, 'title' | 'source' | 'manual' | 'shows'>

/** Who hears what happens in a step. */
export type StepListener = (event: StepEvent) => void
