// The escape ladder: a row for each attack, a column for each chapter, and a legend of the signs.

const { byId, element, sign, text } = await import(`./elements.js${location.search}`)

const WORDS = { failed: 'it got through', held: 'the kernel stopped it', limited: 'cannot be told here' }

/** The kind of sign for the result of an attack. */
export const outcome = stopped => (stopped === null ? 'limited' : stopped ? 'held' : 'failed')

export const attackSign = kind => sign(kind, WORDS[kind])

/** what is drawn now: the ladder, and how many of its chapters */
let drawn = [undefined, undefined]

/** Draws a ladder as far as it has got; nothing if there is none. */
export function showLadder(ladder) {
  const wanted = [ladder, ladder?.cells.size]
  if (wanted.every((part, i) => part === drawn[i])) return
  drawn = wanted
  byId('ladder').hidden = !ladder
  byId('ladder').replaceChildren(...(ladder ? [legend(), table(ladder)] : []))
}

function legend() {
  const entries = Object.entries(WORDS).map(([kind, word]) => {
    const drawn = sign(kind)
    drawn.removeAttribute('role')
    drawn.removeAttribute('aria-label')
    drawn.setAttribute('aria-hidden', 'true') // the word beside it says the same
    return element('span', kind, [drawn, text('span', word)])
  })
  return element('p', 'legend', entries)
}

function table({ chapters, attacks, cells }) {
  const head = element('tr', '', [
    headOf('col', ['chapter']),
    ...chapters.map(({ number, name }) => headOf('col', [text('b', String(number)), text('span', name)])),
  ])
  const rows = attacks.map(({ id, title }) =>
    element('tr', '', [
      headOf('row', [title]),
      ...chapters.map(({ number }) => cell(cells.get(number)?.find(({ attack }) => attack === id))),
    ]),
  )
  return element('table', '', [element('thead', '', [head]), element('tbody', '', rows)])
}

function headOf(scope, children) {
  const head = element('th', '', children)
  head.scope = scope
  return head
}

function cell(found) {
  if (!found) return element('td', 'waits', [])
  const kind = outcome(found.stopped)
  const made = element('td', kind, [attackSign(kind)])
  made.title = found.evidence
  return made
}
