// One card on the whole page: for the last row.

const { byId } = await import(`./elements.js${location.search}`)

/** Which card fills the page: its container and its name. */
let whole

/** Shows a card of a container on the whole page; the same once more, or none: all cards again. */
export function setWhole(id, name) {
  whole = id === undefined || (whole?.id === id && whole.name === name) ? undefined : { id, name }
  markWhole()
}

/** After each change: the card, or where its container has gone that of another. */
export function markWhole() {
  const figures = whole ? [...byId('containers').querySelectorAll(`figure[data-card="${whole.name}"]`)] : []
  const figure = figures.find(each => each.closest('article').dataset.id === whole.id) ?? figures[0]
  for (const old of document.querySelectorAll('figure.whole'))
    if (old !== figure) old.classList.remove('whole')
  figure?.classList.add('whole')
}

/** F: the first card. 1 to 9: one of the first container. Escape: all again. */
addEventListener('keydown', event => {
  if (event.ctrlKey || event.altKey || event.metaKey) return
  const { key } = event
  if (key === 'Escape') return setWhole()
  const figures = byId('containers').querySelectorAll('article:first-of-type figure')
  const figure = key === 'f' ? figures[0] : figures[Number(key) - 1]
  if (key === 'f' && whole) setWhole()
  else if (figure) setWhole(figure.closest('article').dataset.id, figure.dataset.card)
})
