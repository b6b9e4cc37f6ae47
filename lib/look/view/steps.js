// What steps tell, as the page knows it: the stage of each, what its checks found, and whether it has ended.

/** by teller, in the order in which they began; those that have ended go when another begins */
export const steps = new Map()

const newStep = (teller, rest) => ({ teller, title: '', stages: [], held: 0, failed: 0, ended: '', ...rest })

/** Takes note of what a step tells, and returns what is known of that step. */
export function noted({ teller, kind, ...event }) {
  if (kind === 'step' || kind === 'ladder') {
    for (const [other, { ended }] of steps) if (ended) steps.delete(other)
    steps.set(teller, newStep(teller, kind === 'step' ? ofStep(event) : ofLadder(event)))
  }
  if (!steps.has(teller)) steps.set(teller, newStep(teller)) // its begin is longer ago than the server remembers
  const step = steps.get(teller)
  if (kind === 'stage') step.stages.push(event)
  if (kind === 'check' && event.ok) step.held++
  if (kind === 'check' && event.ok === false) step.failed++
  if (kind === 'cells') step.ladder?.cells.set(event.chapter, event.cells)
  if (kind === 'end') step.ended = event.ok ? 'done' : 'failed'
  if (kind === 'broken') step.ended = 'ended'
  return step
}

/** `own`: what the container is called that the step is about. */
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
