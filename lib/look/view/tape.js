// The tape: the events of steps, scrolling as in a terminal.

// each file must be requested with the token, which a plain import would not add
const { byId, element, inCode, line, sign, text } = await import(`./elements.js${location.search}`)
const { attackSign, outcome } = await import(`./ladder.js${location.search}`)

const calls = byId('calls')
const MOST_LINES = 4000

/** the teller of the last line */
let speaker

const TOLD = {
  step({ title }, step) {
    return [line('step', [text('b', step.title), text('span', title)])]
  },
  stage({ number, of, title }, { teller }) {
    const begin = line('stage', [text('b', `${number}/${of}`), text('span', title)])
    begin.dataset.of = `${teller}/${number}`
    return [begin]
  },
  launch({ purpose, calls }) {
    return [line('launch', [text('span', purpose)]), ...calls.map(call)]
  },
  check({ claim, ok, evidence, reason }) {
    const rows = evidence.flatMap(row => [seen(row), ...(row.note ? [text('div', row.note, 'note')] : [])])
    const kind = ok === null ? 'limited' : ok ? 'held' : 'failed'
    const head = element('div', 'claim', [sign(kind), ...inCode(claim)])
    return [line(`check ${kind}`, [head, ...rows, ...(reason ? [text('p', reason)] : [])])]
  },
  ladder({ attacks }, step) {
    return [line('step', [text('b', step.title), text('span', `${attacks.length} attacks on each chapter`)])]
  },
  cells({ chapter, cells }, { ladder }) {
    const titles = new Map(ladder?.attacks.map(({ id, title }) => [id, title]))
    const name = ladder?.chapters.find(({ number }) => number === chapter)?.name ?? ''
    return [
      line('stage', [text('b', String(chapter)), text('span', name)]),
      ...cells.map(({ attack, stopped, evidence }) => {
        const kind = outcome(stopped)
        const head = element('div', 'claim', [attackSign(kind), titles.get(attack) ?? attack])
        return line(`check ${kind}`, [head, text('div', evidence, 'note')])
      }),
    ]
  },
  end({ ok }, step) {
    const { held, failed, ladder } = step
    if (ladder) return [climbed(ladder)]
    const verdict = failed ? `${failed} of ${held + failed} checks failed` : `${held} checks hold`
    return [line(`end ${ok ? 'held' : 'failed'}`, [sign(ok ? 'held' : 'failed'), text('span', verdict)])]
  },
  broken() {
    return [line('end failed', [sign('failed'), text('span', 'it ended before it was finished')])]
  },
}

/** Adds an event of a step. */
export function told({ teller, kind, ...event }, step) {
  const follows = atEnd()
  const lines = TOLD[kind](event, step)
  // if two steps run at once, repeat the title when the teller changes
  if (speaker !== teller && kind !== 'step' && kind !== 'ladder' && step.title)
    calls.append(line('step again', [text('b', step.title), text('span', step.stages.at(-1)?.title ?? '')]))
  speaker = teller
  calls.append(...lines)
  while (calls.childElementCount > MOST_LINES) calls.firstElementChild.remove()
  if (follows) calls.scrollTop = calls.scrollHeight
  byId('newest').hidden = atEnd()
}

/** The result of a ladder in its last chapter. */
function climbed({ cells }) {
  const [chapter, last] = [...cells].at(-1) ?? ['', []]
  const count = wanted => last.filter(({ stopped }) => stopped === wanted).length
  const through = count(false)
  const result = through
    ? `${through} of ${last.length} attacks get through in chapter ${chapter}`
    : `chapter ${chapter} stops ${count(true)} of ${last.length} attacks; ${count(null)} cannot be told here`
  const kind = through ? 'failed' : 'held'
  return line(`end ${kind}`, [attackSign(kind), text('span', result)])
}

/** Scrolls to a stage of a step, or to the end if none is given. */
export function scrollTo(teller, stage) {
  const begin = calls.querySelector(`[data-of="${teller}/${stage}"]`)
  calls.scrollTop = begin ? begin.offsetTop - calls.offsetTop - 8 : calls.scrollHeight
}

/** What was read, and where; also whether a value of the container was read on the host. */
function seen({ host, container, source, full, onHost }) {
  const sides = Object.entries({ host, container }).filter(([, value]) => value !== null)
  const cited = text('span', source, source.length < 36 ? 'short' : '')
  const cite = element('cite', '', onHost ? [text('i', 'read on the host:'), ' ', cited] : [cited])
  if (full) cite.title = full
  return element('div', 'evidence', [
    ...sides.map(([side, value]) => element('div', '', [text('i', side), ' ', text('span', value)])),
    cite,
  ])
}

function call({ summary, call, args, full, result, errno, ns }) {
  if (summary) return line('call summary', [text('code', summary)])
  // break a long list of flags, or a path, between its parts
  const parts = args
    .split(/(?<=[|/])/)
    .flatMap((part, i) => (i ? [document.createElement('wbr'), part] : [part]))
  const outcome = errno ? `= -1 ${errno}` : `= ${result ?? 0}`
  const code = element('code', '', [text('b', call), '(', ...parts, ')'])
  if (full) code.title = full
  return line('call', [code, text('span', outcome, errno ? 'refused' : 'result'), text('time', micro(ns))])
}

/** A duration in nanoseconds as text: `12 µs`, `1.3 ms`. */
function micro(ns) {
  const µs = ns / 1000
  return µs < 1000 ? `${µs < 10 ? µs.toFixed(1) : Math.round(µs)} µs` : `${(µs / 1000).toFixed(1)} ms`
}

/** Whether the tape is at its end: if the reader has scrolled up, it must not move. */
function atEnd() {
  return calls.scrollHeight - calls.scrollTop - calls.clientHeight < 40
}
calls.addEventListener('scroll', () => (byId('newest').hidden = atEnd()))
byId('newest').addEventListener('click', () => {
  calls.scrollTop = calls.scrollHeight
  calls.focus()
})
