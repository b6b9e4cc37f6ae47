// One card of a container. Values that differ from the drawing before are highlighted.

const { element, text } = await import(`./elements.js${location.search}`)

const FLASH = 2400 // milliseconds, as in pictures.css

export function newCard(name, showWhole) {
  const button = text('button', '⤢', 'whole-button')
  button.type = 'button'
  button.title = 'full screen, and back'
  button.setAttribute('aria-label', `${name}: full screen, and back`)
  button.addEventListener('click', () => showWhole(name))
  const drawing = element('div', 'drawing', [button])
  const figure = element('figure', '', [drawing])
  figure.dataset.card = name
  return { figure, drawing, drawn: undefined, texts: undefined, flashes: new Map() }
}

/** Replaces the drawing. `follows`: the previous drawing showed the same container a moment ago. */
export function draw(card, number, drawing, follows) {
  if (!follows) forget(card)
  if (card.drawn === number) return
  card.drawn = number
  const svg = document.importNode(
    new DOMParser().parseFromString(drawing, 'image/svg+xml').documentElement,
    true,
  )
  const { width, height } = svg.viewBox.baseVal
  card.figure.style.setProperty('--ratio', width / height)
  const before = card.texts
  card.drawing.querySelector('svg')?.remove() // the highlights stay: replacing them would restart their animation
  card.drawing.prepend(svg)
  card.texts = ownTexts(svg)
  if (before)
    for (const [key, said] of card.texts)
      if (before.get(key) !== said) flash(card, key, before.has(key) ? 'changed' : 'new')
  for (const [key, { mark }] of card.flashes) if (!put(mark, svg, key)) end(card, key)
}

/** Forgets the values of another picture: they must not be compared with the next one. */
function forget(card) {
  for (const key of card.flashes.keys()) end(card, key)
  card.texts = undefined
}

/** The text of each element by its data-key, without the text of inner elements that have their own key. */
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

/** Highlights an element for a while, in a separate layer, because the drawing may be replaced meanwhile. */
function flash(card, key, kind) {
  const old = card.flashes.get(key)
  const mark = old?.mark ?? element('div', `flash ${kind}`, [])
  mark.dataset.of = key
  if (old) for (const animation of mark.getAnimations()) animation.currentTime = FLASH / 8
  else card.drawing.append(mark)
  clearTimeout(old?.timer)
  card.flashes.set(key, { mark, timer: setTimeout(() => end(card, key), FLASH) })
}

/** Moves a highlight to its element; returns false if the element has gone. */
function put({ style }, svg, key) {
  const box = svg.querySelector(`[data-key="${CSS.escape(key)}"]`)?.getBoundingClientRect()
  if (!box?.width) return false
  const whole = svg.getBoundingClientRect()
  style.left = `${(100 * (box.left - whole.left)) / whole.width}%`
  style.top = `${(100 * (box.top - whole.top)) / whole.height}%`
  style.width = `${(100 * box.width) / whole.width}%`
  style.height = `${(100 * box.height) / whole.height}%`
  return true
}

function end({ flashes }, key) {
  const { mark, timer } = flashes.get(key)
  clearTimeout(timer)
  mark.remove()
  flashes.delete(key)
}
