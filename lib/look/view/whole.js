// One card that fills the page, for the last row of a room.

const { byId } = await import(`./elements.js${location.search}`)

/** the card that fills the page: its container and its name */
let whole

/** Lets a card fill the page; the same card again, or none, shows all cards. */
export function setWhole(id, name) {
  whole = id === undefined || (whole?.id === id && whole.name === name) ? undefined : { id, name }
  markWhole()
}

/** Called after each change. If the container has gone, shows that card of another one. */
export function markWhole() {
  const figures = whole ? [...byId('containers').querySelectorAll(`figure[data-card="${whole.name}"]`)] : []
  const figure = figures.find(each => each.closest('article').dataset.id === whole.id) ?? figures[0]
  for (const old of document.querySelectorAll('figure.whole'))
    if (old !== figure) old.classList.remove('whole')
  figure?.classList.add('whole')
}

/** Keys: f shows the first card, 1 to 9 a card of the first container, Escape all cards. */
addEventListener('keydown', event => {
  if (event.ctrlKey || event.altKey || event.metaKey) return
  const { key } = event
  if (key === 'Escape') return setWhole()
  const figures = byId('containers').querySelectorAll('article:first-of-type figure')
  const figure = key === 'f' ? figures[0] : figures[Number(key) - 1]
  if (key === 'f' && whole) setWhole()
  else if (figure) setWhole(figure.closest('article').dataset.id, figure.dataset.card)
})
