import type { Replayed } from '../kernel/tape/tape.ts'
import type { StepEvent } from './events.ts'
import type { Report, TapeEntry } from './step.ts'

/** The parts of a step's report that are collected from events. */
type Heard = Pick<Report, 'tape' | 'checks' | 'launches' | 'limited' | 'predictions'>

/** Collects those parts of a step's report. */
export class ReportKeeper {
  readonly heard: Heard = { tape: [], checks: [], launches: [], limited: [], predictions: [] }

  readonly hear = (event: StepEvent): void => {
    const { checks, launches, limited, predictions } = this.heard
    switch (event.kind) {
      case 'launch': {
        const { purpose } = event
        const tape = event.tape.map(entry)
        return void (event.own ? (this.heard.tape = tape) : launches.push({ purpose, tape }))
      }
      case 'check': {
        const { id, claim } = event.check
        const { ok, limited = null, evidence, diagnosis = null } = event.finding
        return void checks.push({ id, claim: claim.replaceAll('`', ''), ok, limited, evidence, diagnosis })
      }
      case 'limited': {
        const { stage, reason, remedy } = event
        return void limited.push({ stage: stage.title, reason, remedy })
      }
      case 'prediction': {
        const { question, said, answer } = event
        return void predictions.push({ question, said, answer })
      }
    }
  }
}

function entry({ call, args, result, errno, start, ns }: Replayed): TapeEntry {
  return { call, args, result, errno, start: start ?? null, ns }
}
