// The tape: what steps tell, as a terminal would scroll it.

// each file wants the token, which an import of its own would not have
const { byId, element, inCode, line, sign, text } = await import(`./elements.js${location.search}`)

const calls = byId('calls')
const MOST_LINES = 4000

/** by teller: which step and stage it is at, and how many checks held and failed */
const steps = new Map()
/** the teller whose line was the last */
let speaker

const TOLD = {
  step({ number, name, title, trial }, step) {
    step.step = `Step ${number} · ${name}${trial === null ? '' : ` · ${trial}`}`
    return [line('step', [text('b', step.step), text('span', title)])]
  },
  stage({ number, of, title }, step) {
    step.stage = `${number}/${of} ${title}`
    return [line('stage', [text('b', `${number}/${of}`), text('span', title)])]
  },
  launch({ purpose, calls }) {
    return [line('launch', [text('span', purpose)]), ...calls.map(call)]
  },
  check({ claim, ok, evidence, reason }, step) {
    if (ok) step.held++
    if (ok === false) step.failed++
    const rows = evidence.map(row => {
      const sides = ['host', 'container'].filter(side => row[side] !== null)
      return element('div', 'evidence', [
        ...sides.flatMap(side => [text('i', side), text('span', row[side])]),
        text('cite', row.source),
      ])
    })
    const kind = ok === null ? 'limited' : ok ? 'held' : 'failed'
    const said = element('div', 'claim', [sign(kind), ...inCode(claim)])
    return [line(`check ${kind}`, [said, ...rows, ...(reason ? [text('p', reason)] : [])])]
  },
  end({ ok }, step) {
    const { held, failed } = step
    step.stage = ok ? 'done' : 'failed'
    const verdict = failed ? `${failed} of ${held + failed} checks failed` : `${held} checks hold`
    return [line(`end ${ok ? 'held' : 'failed'}`, [sign(ok ? 'held' : 'failed'), text('span', verdict)])]
  },
  broken(_, step) {
    step.stage = 'ended'
    return [line('end failed', [sign('failed'), text('span', 'it ended before it was finished')])]
  },
}

/** What a step tells, behind what was told before; returns what is to stand at the top. */
export function told({ teller, kind, ...event }) {
  const step = steps.get(teller) ?? { step: '', stage: '', held: 0, failed: 0 }
  steps.set(teller, step)
  const follows = atEnd()
  const lines = TOLD[kind](event, step)
  // of two steps at the same time each says again who it is
  if (speaker !== teller && kind !== 'step' && step.step)
    calls.append(line('step again', [text('b', step.step), text('span', step.stage)]))
  speaker = teller
  calls.append(...lines)
  while (calls.childElementCount > MOST_LINES) calls.firstElementChild.remove()
  if (follows) calls.scrollTop = calls.scrollHeight
  byId('newest').hidden = atEnd()
  byId('score').replaceChildren(
    ...(step.held ? [sign('held'), text('span', `${step.held} hold`)] : []),
    ...(step.failed ? [sign('failed'), text('span', `${step.failed} failed`)] : []),
  )
  if (kind === 'end' || kind === 'broken') steps.delete(teller)
  return [step.step, step.stage].filter(Boolean).join(' · ')
}

function call({ summary, call, args, result, errno, ns }) {
  if (summary) return line('call summary', [text('code', summary)])
  // a long list of flags, or a path, is broken between its parts
  const parts = args
    .split(/(?<=[|/])/)
    .flatMap((part, i) => (i ? [document.createElement('wbr'), part] : [part]))
  const outcome = errno ? `= -1 ${errno}` : `= ${result ?? 0}`
  return line('call', [
    element('code', '', [text('b', call), '(', ...parts, ')']),
    text('span', outcome, errno ? 'refused' : 'result'),
    text('time', micro(ns)),
  ])
}

/** `12 µs`, `1.3 ms` of nanoseconds. */
function micro(ns) {
  const µs = ns / 1000
  return µs < 1000 ? `${µs < 10 ? µs.toFixed(1) : Math.round(µs)} µs` : `${(µs / 1000).toFixed(1)} ms`
}

/** Whoever has scrolled up reads something there, and is not carried away. */
function atEnd() {
  return calls.scrollHeight - calls.scrollTop - calls.clientHeight < 40
}
calls.addEventListener('scroll', () => (byId('newest').hidden = atEnd()))
byId('newest').addEventListener('click', () => {
  calls.scrollTop = calls.scrollHeight
  calls.focus()
})
