// The containers, as the server draws them: what has changed since the last drawing lights up.

const { byId, element, text } = await import(`./elements.js${location.search}`)

const FLASH = 2400 // milliseconds, as in view.css

/** by id: the elements, the drawings that the server sent and which of them is shown, its texts, what flashes in it */
const cards = new Map()

/** All that there are; with a drawing those that changed. */
export function showContainers({ look, containers: all }) {
  const ids = new Set(all.map(({ id }) => id))
  for (const [id, { article }] of cards) {
    if (ids.has(id)) continue
    article.remove()
    cards.delete(id)
  }
  byId('nothing').hidden = all.length > 0
  for (const { id, name } of all) if (!cards.has(id)) newCard(id, name)
  for (const { id, taken, drawings, problem } of all) {
    const card = cards.get(id)
    card.article.dataset.taken = taken // when the kernel was asked
    if (drawings !== undefined) card.drawings = drawings
    if (problem !== undefined) say(card, problem)
  }
  drawAll()
  document.body.dataset.look = look // how often it was asked so far
}

function newCard(id, name) {
  const drawing = element('div', 'drawing', [])
  const article = element('article', '', [text('h2', name, 'said'), drawing])
  article.dataset.id = id
  const card = { article, drawing, flashes: new Map() }
  cards.set(id, card)
  byId('containers').append(article)
  return card
}

/** In the place of a drawing, for this look. */
function say(card, problem) {
  forget(card)
  card.drawings = card.drawn = undefined
  card.drawing.replaceChildren(text('p', problem))
}

/** With little room, a container is drawn in one column. */
function shape({ drawing }) {
  return drawing.clientWidth < 640 ? 'column' : 'wide'
}
addEventListener('resize', drawAll)

function drawAll() {
  for (const card of cards.values()) {
    const { drawings, drawn } = card
    const wanted = shape(card)
    if (!drawings || drawings[wanted] === drawn) continue
    if (card.shape !== wanted) forget(card)
    card.shape = wanted
    card.drawn = drawings[wanted]
    draw(card, card.drawn)
  }
}

/** What was where in a drawing of another shape says nothing about the next. */
function forget(card) {
  for (const key of card.flashes.keys()) end(card, key)
  card.texts = undefined
}

/** A new drawing in the place of the old; what reads otherwise than before lights up. */
function draw(card, drawing) {
  const svg = document.importNode(
    new DOMParser().parseFromString(drawing, 'image/svg+xml').documentElement,
    true,
  )
  const before = card.texts
  card.drawing.querySelector('svg, p')?.remove() // what flashes stays where it is, or it would begin anew
  card.drawing.prepend(svg)
  card.texts = ownTexts(svg)
  if (before)
    for (const [key, said] of card.texts)
      if (before.get(key) !== said) flash(card, key, before.has(key) ? 'changed' : 'new')
  for (const [key, { mark }] of card.flashes) if (!put(mark, svg, key)) end(card, key)
}

/** By data-key what stands in an element, without that of others in it which have a key themselves. */
function ownTexts(svg) {
  const texts = new Map()
  const walker = document.createTreeWalker(svg, NodeFilter.SHOW_TEXT)
  for (const keyed of svg.querySelectorAll('[data-key]')) texts.set(keyed.dataset.key, '')
  while (walker.nextNode()) {
    const key = walker.currentNode.parentElement.closest('[data-key]')?.dataset.key
    if (key !== undefined) texts.set(key, `${texts.get(key)} ${walker.currentNode.data}`)
  }
  return texts
}

/** Marks an element for a while, in a layer of its own: the drawing may be exchanged meanwhile. */
function flash(card, key, kind) {
  const old = card.flashes.get(key)
  const mark = old?.mark ?? element('div', `flash ${kind}`, [])
  mark.dataset.of = key
  if (old) for (const animation of mark.getAnimations()) animation.currentTime = FLASH / 8
  else card.drawing.append(mark)
  clearTimeout(old?.timer)
  card.flashes.set(key, { mark, timer: setTimeout(() => end(card, key), FLASH) })
}

/** Puts a mark where an element is now; false where nothing stands there any more. */
function put({ style }, svg, key) {
  const place = svg.querySelector(`[data-key="${CSS.escape(key)}"]`)?.getBoundingClientRect()
  if (!place?.width) return false
  const whole = svg.getBoundingClientRect()
  style.left = `${(100 * (place.left - whole.left)) / whole.width}%`
  style.top = `${(100 * (place.top - whole.top)) / whole.height}%`
  style.width = `${(100 * place.width) / whole.width}%`
  style.height = `${(100 * place.height) / whole.height}%`
  return true
}

function end({ flashes }, key) {
  const { mark, timer } = flashes.get(key)
  clearTimeout(timer)
  mark.remove()
  flashes.delete(key)
}
