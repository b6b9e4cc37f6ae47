import type { Replayed } from '../kernel/tape/tape.ts'
import type { HostWork } from './timeline.ts'
import type { Check, Finding, Report, Stage, Step } from './step.ts'

/** What happens in a step. Presenters, viewers, the report and the timeline learn everything from these events. */
export type StepEvent =
  | { kind: 'step'; step: AnyStep; mode: Report['mode']; runtime: string; trial: string | null }
  | { kind: 'stage'; step: AnyStep; stage: AnyStage; number: number; of: number }
  /** a question is about to be asked */
  | { kind: 'question' }
  /** the stage begins to act; `asked`: whether a question was asked before */
  | { kind: 'act'; stage: AnyStage; asked: boolean }
  /** a container runs: its purpose, and its first process */
  | { kind: 'container'; purpose: string; pid: number }
  | LaunchEvent
  /** the calls of the step's own container that this stage explains are to be shown */
  | { kind: 'calls'; step: AnyStep; stage: AnyStage; tape: readonly Replayed[] }
  /** a stage, or part of it, does not work here */
  | { kind: 'limited'; stage: AnyStage; reason: string; remedy: string }
  | { kind: 'check'; check: Pick<Check, 'id' | 'claim'>; finding: Finding }
  | { kind: 'prediction'; question: string; said: string; answer: string; why: string }
  /** calls of quiet launches, which a stage now shows together */
  | { kind: 'together'; heading: string; tape: readonly Replayed[] }
  /** text, lines, and lines under a heading that a stage shows */
  | { kind: 'note'; text: string }
  | { kind: 'line'; text: string }
  | { kind: 'block'; heading: string; text: readonly string[] }
  /** something that we did on the host for a part of a container */
  | { kind: 'host'; work: HostWork }
  /** all stages are over; the containers still run */
  | { kind: 'over'; ok: boolean }
  /** everything was removed */
  | { kind: 'end'; step: AnyStep; report: Report }

/** A child ran its tape; or we asked the kernel for something ourselves. */
export interface LaunchEvent {
  kind: 'launch'
  purpose: string
  tape: readonly Replayed[]
  /** the clone3 that made the child, if it became a container */
  clone?: Replayed | undefined
  /** for the step's own container: the step, which decides how its calls are shown */
  own?: AnyStep
  /** the parts whose calls are shown in full; by default all */
  teaches?: readonly string[]
  /** kept in the report but not shown: a stage shows what matters of it */
  quiet?: boolean
}

/** What listeners see of a step or stage: nothing that they could call. */
type AnyStep = Pick<
  Step,
  'number' | 'name' | 'title' | 'parts' | 'teaches' | 'matters' | 'expected' | 'recap' | 'next'
> & { stages: readonly AnyStage[] }
type AnyStage = Pick<Stage, 'title' | 'source' | 'manual' | 'shows'>

/** Who hears what happens in a step. */
export type StepListener = (event: StepEvent) => void
