// The page of `minilab view`: shows what the server sends.

// each file wants the token, which an import of its own would not have
const { byId } = await import(`./elements.js${location.search}`)
const { told } = await import(`./tape.js${location.search}`)
const { showContainers } = await import(`./containers.js${location.search}`)

/** what is at the top: the step and its stage */
let headline = ''

const source = new EventSource(`events${location.search}`)
source.addEventListener('told', ({ data }) => {
  headline = told(JSON.parse(data))
  sayNow(headline)
})
source.addEventListener('containers', ({ data }) => showContainers(JSON.parse(data)))
source.addEventListener('open', () => {
  document.body.classList.remove('lost')
  sayNow(headline)
})
source.addEventListener('error', () => {
  document.body.classList.add('lost')
  sayNow('The view has ended, or cannot be reached. Start it again: minilab view')
})

/** Only what is new: it is read out, too. */
function sayNow(said) {
  if (byId('now').textContent !== said) byId('now').textContent = said
}
