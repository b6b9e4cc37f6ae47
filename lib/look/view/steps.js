// What the page knows about each step: its stages, the results of its checks, and whether it has ended.

/** by teller, in the order in which they began; ended steps are removed when another begins */
export const steps = new Map()

const newStep = (teller, rest) => ({ teller, title: '', stages: [], held: 0, failed: 0, ended: '', ...rest })

/** Notes an event of a step, and returns what is known about that step. */
export function noted({ teller, kind, ...event }) {
  if (kind === 'step' || kind === 'ladder') {
    for (const [other, { ended }] of steps) if (ended) steps.delete(other)
    steps.set(teller, newStep(teller, kind === 'step' ? ofStep(event) : ofLadder(event)))
  }
  if (!steps.has(teller)) steps.set(teller, newStep(teller)) // it began before the oldest event that the server has kept
  const step = steps.get(teller)
  if (kind === 'stage') step.stages.push(event)
  if (kind === 'check' && event.ok) step.held++
  if (kind === 'check' && event.ok === false) step.failed++
  if (kind === 'cells') step.ladder?.cells.set(event.chapter, event.cells)
  if (kind === 'end') step.ended = event.ok ? 'done' : 'failed'
  if (kind === 'broken') step.ended = 'ended'
  return step
}

/** `own`: the name of the step's own container. */
function ofStep({ number, name, trial }) {
  return {
    number,
    own: `step ${number} ${name}`,
    title: `Step ${number} · ${name}${trial === null ? '' : ` · ${trial}`}`,
  }
}

function ofLadder({ rootless, chapters, attacks }) {
  const title = `The escape ladder · ${rootless ? 'without root' : 'as root'}`
  return { title, ladder: { chapters, attacks, cells: new Map() } }
}
