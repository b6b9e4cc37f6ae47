// The containers that are shown, each as its cards.

const { byId, element, text } = await import(`./elements.js${location.search}`)
const { draw, newCard } = await import(`./card.js${location.search}`)
const { markWhole, setWhole } = await import(`./whole.js${location.search}`)

/** by id: the elements, the cards by name, and the scene that they are of */
const articles = new Map()

/** Shows exactly these containers, in this order. `scene` is theirs; `first` is the card that comes first, and is large. */
export function showContainers(pictures, drawings) {
  const ids = new Set(pictures.map(({ id }) => id))
  for (const [id, { article }] of articles) {
    if (ids.has(id)) continue
    article.remove()
    articles.delete(id)
  }
  pictures.forEach((picture, i) => {
    if (!articles.has(picture.id)) articles.set(picture.id, newArticle(picture))
    const shown = articles.get(picture.id)
    const there = byId('containers').querySelectorAll(':scope > article')
    if (there[i] !== shown.article) byId('containers').insertBefore(shown.article, there[i] ?? null)
    fill(shown, picture, drawings)
  })
  markWhole()
}

function newArticle({ id, name }) {
  const facts = text('p', '', 'facts')
  const description = text('p', '', 'said')
  const cards = element('div', 'cards', [])
  const head = element('header', '', [text('h2', name), facts])
  const article = element('article', '', [head, description, cards])
  article.dataset.id = id
  return { article, head, facts, description, cardList: cards, cards: new Map(), scene: undefined }
}

function fill(shown, { id, taken, facts, frozen, summary, cards, problem, ended, scene, first }, drawings) {
  const { article, cardList } = shown
  article.dataset.taken = taken // when the kernel was asked
  article.classList.toggle('ended', Boolean(ended))
  update(shown.facts, [problem ?? facts, ended && 'its last picture'].filter(Boolean).join(' · '))
  update(shown.description, summary ?? '')
  const sign = article.querySelector('.frozen')
  if (!frozen) sign?.remove()
  else if (!sign) {
    const made = text('p', 'frozen', 'frozen')
    made.dataset.key = 'head.frozen'
    shown.head.append(made)
  }
  const order = cards.toSorted(([one], [other]) => (other === first) - (one === first))
  for (const [name, card] of shown.cards) {
    if (order.some(([other]) => other === name)) continue
    card.figure.remove()
    shown.cards.delete(name)
  }
  order.forEach(([name, number], i) => {
    if (!shown.cards.has(name))
      shown.cards.set(
        name,
        newCard(name, name => setWhole(id, name)),
      )
    const card = shown.cards.get(name)
    if (cardList.children[i] !== card.figure) cardList.insertBefore(card.figure, cardList.children[i] ?? null)
    card.figure.classList.toggle('first', name === first)
    draw(card, number, drawings.get(number), shown.scene === scene)
  })
  shown.scene = scene
}

/** Sets a text only if it is new, because screen readers read changes aloud. */
function update(node, said) {
  if (node.textContent !== said) node.replaceChildren(...element('p', '', [said]).childNodes)
}
