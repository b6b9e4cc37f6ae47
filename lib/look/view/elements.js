// Builds the page's elements. Everything shown may be untrusted: it becomes text, never HTML.

export function byId(id) {
  return document.getElementById(id)
}

export function element(name, className, children) {
  const made = document.createElement(name)
  if (className) made.className = className
  made.append(...children.map(child => (typeof child === 'string' ? harmless(child) : child)))
  return made
}

/** Replaces control characters, and characters that would change the writing direction. */
function harmless(said) {
  return said.replaceAll(/[\p{Cc}\p{Bidi_Control}]/gu, '\uFFFD')
}

export function text(name, said, className = '') {
  return element(name, className, [said])
}

export function line(className, children) {
  return element('li', className, children)
}

/** The parts of a text, with `code in backquotes` as code elements. */
export function inCode(said) {
  return said.split('`').map((part, i) => (i % 2 ? text('code', part) : part))
}

const SIGNS = { held: ['✔', 'holds'], failed: ['✘', 'fails'], limited: ['–', 'not possible here'] }

export function sign(kind, word = SIGNS[kind][1]) {
  const shown = text('span', SIGNS[kind][0], `sign ${kind}`)
  shown.setAttribute('role', 'img')
  shown.setAttribute('aria-label', word)
  return shown
}
