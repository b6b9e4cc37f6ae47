// The page of `minilab view`: shows what the server sends.

// each file must be requested with the token, which a plain import would not add
const { noted } = await import(`./steps.js${location.search}`)
const { told } = await import(`./tape.js${location.search}`)
const { follow, looked, sayNow, show } = await import(`./shown.js${location.search}`)

const source = new EventSource(`events${location.search}`)
source.addEventListener('told', ({ data }) => {
  const event = JSON.parse(data)
  if (event.kind === 'step' || event.kind === 'ladder') follow()
  told(event, noted(event))
  show()
})
source.addEventListener('looked', ({ data }) => looked(JSON.parse(data)))
source.addEventListener('open', () => {
  document.body.classList.remove('lost')
  show()
})
source.addEventListener('error', () => {
  document.body.classList.add('lost')
  sayNow('The view has ended, or cannot be reached. Start it again: minilab view')
})
