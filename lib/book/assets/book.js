// The script of the book's pages, which are readable without it. It stores one thing: the chosen colours.
'use strict'

const root = document.documentElement
root.classList.add('js')

// before anything is drawn, so that no page flashes in the other colours
const chosen = remembered()
if (chosen) root.dataset.theme = chosen

document.addEventListener('DOMContentLoaded', () => {
  themeButton()
  menuButton()
  copyButtons()
  scrollable()
  whereWeAre()
  turnPages()
  search()
})

function remembered() {
  try {
    return localStorage.getItem('minilab-theme')
  } catch {
    return null // a browser may refuse to store anything: then use the system's colours
  }
}

function themeButton() {
  const button = document.querySelector('.theme')
  const system = matchMedia('(prefers-color-scheme: dark)')
  const isDark = () => (root.dataset.theme ?? (system.matches ? 'dark' : 'light')) === 'dark'
  const show = () => button.setAttribute('aria-pressed', String(isDark()))
  show()
  system.addEventListener('change', show)
  button.addEventListener('click', () => {
    root.dataset.theme = isDark() ? 'light' : 'dark'
    show()
    try {
      localStorage.setItem('minilab-theme', root.dataset.theme)
    } catch {
      // as above: chosen for this page only
    }
  })
}

/** Opens and closes the contents on a narrow screen. */
function menuButton() {
  const button = document.querySelector('.menu')
  const contents = document.querySelector('nav#contents')
  if (!button) return
  const open = isOpen => {
    button.setAttribute('aria-expanded', String(isOpen))
    contents.classList.toggle('open', isOpen)
  }
  button.addEventListener('click', () => open(button.getAttribute('aria-expanded') !== 'true'))
  contents.addEventListener('click', ({ target }) => {
    if (target.closest('a')) open(false)
  })
  document.addEventListener('keydown', ({ key }) => {
    if (key !== 'Escape' || button.getAttribute('aria-expanded') !== 'true') return
    open(false)
    button.focus()
  })
}

function copyButtons() {
  if (!navigator.clipboard) return // clipboard needs a secure context, so it is missing over http from another machine
  for (const figure of document.querySelectorAll('figure:not(.drawing)')) {
    const button = document.createElement('button')
    button.type = 'button'
    button.className = 'copy'
    const label = document.createElement('span')
    label.setAttribute('role', 'status')
    label.textContent = 'Copy'
    button.append(label)
    if (figure.dataset.copy) button.title = `Copies the command only: ${figure.dataset.copy}`
    const copy = async () => {
      const text = figure.dataset.copy ?? figure.querySelector('code').textContent
      label.textContent = await navigator.clipboard.writeText(text).then(
        () => 'Copied',
        () => 'Not allowed',
      )
      setTimeout(() => (label.textContent = 'Copy'), 2000)
    }
    button.addEventListener('click', () => void copy())
    figure.append(button)
  }
}

/** Marks the boxes that scroll, and makes only those reachable with the Tab key. */
function scrollable() {
  const boxes = document.querySelectorAll('pre, .wide, .canvas')
  const look = () => {
    for (const box of boxes) {
      const scrolls = box.scrollWidth > box.clientWidth
      box.classList.toggle('scrolls', scrolls)
      if (scrolls) box.tabIndex = 0
      else box.removeAttribute('tabindex')
    }
  }
  look()
  addEventListener('resize', look)
}

/** Marks in the contents the section that is being read. */
function whereWeAre() {
  const links = [...document.querySelectorAll('nav#contents ol ol a')]
  const headings = links.map(link => document.getElementById(decodeURIComponent(link.hash.slice(1))))
  if (!links.length) return
  const look = () => {
    // at the end of the page this is the last section, however short
    const line = innerHeight + scrollY < root.scrollHeight - 2 ? innerHeight / 3 : innerHeight
    const passed = headings.filter(heading => heading.getBoundingClientRect().top < line)
    for (const [i, link] of links.entries()) {
      if (i === passed.length - 1) link.setAttribute('aria-current', 'location')
      else link.removeAttribute('aria-current')
    }
  }
  look()
  addEventListener('scroll', look, { passive: true })
}

/** ← and → turn the pages, unless they act on something else: the text of a field, or a box that scrolls. */
function turnPages() {
  const links = { ArrowLeft: '.turn [rel="prev"]', ArrowRight: '.turn [rel="next"]' }
  document.addEventListener('keydown', ({ key, target, ctrlKey, metaKey, altKey, shiftKey }) => {
    if (!links[key] || ctrlKey || metaKey || altKey || shiftKey) return
    if (target.closest('input, textarea, select, [contenteditable], .scrolls')) return
    document.querySelector(links[key])?.click()
  })
}

function search() {
  const field = document.getElementById('query')
  const found = document.getElementById('found')
  const links = () => [...found.querySelectorAll('a')]
  const close = () => (found.hidden = true)

  const scripts = new Map()
  const loadScript = src => {
    if (!scripts.has(src)) {
      const loaded = new Promise((resolve, reject) => {
        const script = document.createElement('script')
        Object.assign(script, { src, onload: resolve, onerror: reject })
        document.head.append(script)
      })
      scripts.set(src, loaded)
      loaded.catch(() => scripts.delete(src)) // Chromium gives up a request when an interface of the machine comes or goes
    }
    return scripts.get(src)
  }
  const load = () => Promise.all(['assets/search.js', 'assets/search-index.js'].map(loadScript))

  let again
  const show = async () => {
    clearTimeout(again)
    try {
      await load()
    } catch {
      again = setTimeout(() => void show(), 1000)
      found.replaceChildren(status('The search cannot be loaded yet'))
      found.hidden = field.value.trim() === ''
      return
    }
    const matches = bookSearch.search(bookSections, field.value)
    found.replaceChildren(summary(matches.length), list(matches.slice(0, 20)))
    found.hidden = field.value.trim() === ''
  }

  const openFirst = async () => {
    await show()
    links()[0]?.click()
  }

  field.addEventListener('focus', () => void (field.value.trim() ? show() : load().catch(() => {})))
  field.addEventListener('input', () => void show())
  field.addEventListener('keydown', ({ key }) => {
    if (key === 'Enter') void openFirst()
  })
  document.addEventListener('keydown', event => {
    const { key, target } = event
    const isTyping = target.closest('input, textarea, select, [contenteditable]')
    if (key === '/' && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault()
      field.focus()
      field.select()
      return
    }
    if (found.hidden || !target.closest('search')) return
    const all = links()
    const at = all.indexOf(document.activeElement)
    if (key === 'Escape') {
      event.preventDefault() // Chromium would empty the field, but the words may be needed again
      close()
      if (document.activeElement !== field) field.focus()
      close() // the focus would open it again
    } else if (key === 'ArrowDown') (all[at + 1] ?? all[at])?.focus()
    else if (key === 'ArrowUp') (at > 0 ? all[at - 1] : field).focus()
    else return
    event.preventDefault()
  })
  document.addEventListener('click', ({ target }) => {
    if (!target.closest('search') || target.closest('#found a')) close()
  })
}

function summary(count) {
  if (count === 0) return status('Nothing found')
  return status(`${count} ${count === 1 ? 'place' : 'places'}${count > 20 ? ', the first 20' : ''}`)
}

/** A line that a screen reader reads aloud when it changes. */
function status(text) {
  const line = document.createElement('p')
  line.setAttribute('role', 'status')
  line.textContent = text
  return line
}

/** Shows the results; everything found is inserted as text. */
function list(matches) {
  const list = document.createElement('ol')
  for (const { section, heading, snippet } of matches) {
    const link = document.createElement('a')
    link.href = `${section.page}.html${section.id && `#${section.id}`}`
    const where = document.createElement('strong')
    where.append(...marked(heading))
    const page = document.createElement('small')
    if (section.heading !== section.title) page.textContent = section.title
    const text = document.createElement('span')
    text.append(...marked(snippet))
    link.append(where, page, text)
    const item = document.createElement('li')
    item.append(link)
    list.append(item)
  }
  return list
}

function marked(fragments) {
  return fragments.map(({ text, hit }) => {
    if (!hit) return text
    const mark = document.createElement('mark')
    mark.textContent = text
    return mark
  })
}
