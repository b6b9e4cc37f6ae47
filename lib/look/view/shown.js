// What the page shows: the running step, the last one, or an earlier stage; and its title.

const { byId, sign, text } = await import(`./elements.js${location.search}`)
const { steps } = await import(`./steps.js${location.search}`)
const { scrollTo } = await import(`./tape.js${location.search}`)
const { showContainers } = await import(`./containers.js${location.search}`)
const { showLadder } = await import(`./ladder.js${location.search}`)

/** the card of what a step teaches, by the step's number */
const TAUGHT = {
  1: 'processes',
  2: 'namespaces',
  3: 'root',
  4: 'limits',
  5: 'root',
  6: 'network',
  7: 'rights',
}

/** by their numbers */
const drawings = new Map()
let scenes = []
/** whether a container has been started since the last step ended */
let past = false
/** the earlier stage that is shown; undefined while the page shows the present */
let back

/** Handles one look at all containers. */
export function looked({ look, drawings: more, ...now }) {
  for (const [number, drawing] of Object.entries(more)) drawings.set(Number(number), drawing)
  ;({ scenes, past } = now)
  const used = new Set(
    scenes.flatMap(({ pictures }) => pictures.flatMap(({ cards }) => cards.map(([, n]) => n))),
  )
  for (const number of drawings.keys()) if (!used.has(number)) drawings.delete(number)
  show()
  document.body.dataset.look = look // how many looks there have been
}

/** Updates the page. */
export function show() {
  if (back && !steps.has(back.teller)) back = undefined
  const chosen = chosenSteps()
  const others = back ? [] : picturesOf(null, 0).map(picture => ({ ...picture, scene: '' }))
  const pictures = [...chosen.flatMap(picturesOfStep), ...others]
  showContainers(pictures, drawings)
  const ladder = chosen.find(step => step.ladder)?.ladder
  showLadder(ladder)
  const isEmpty = pictures.length === 0 && !ladder
  byId('nothing').hidden = !isEmpty || chosen.length > 0
  byId('unseen').hidden = !isEmpty || chosen.length === 0
  byId('unseen-begins').hidden = chosen.every(({ ended }) => ended) || back !== undefined
  byId('unseen-over').hidden = !byId('unseen-begins').hidden
  head(chosen, others)
}

/** The running steps; or the last one, unless something else was started after it. */
function chosenSteps() {
  if (back) return [steps.get(back.teller)]
  const all = [...steps.values()]
  const running = all.filter(({ ended }) => !ended)
  if (running.length) return running
  return past && picturesOf(null, 0).length ? [] : all.slice(-1)
}

const stageOf = step => (back ? step.stages.find(({ number }) => number === back.stage) : step.stages.at(-1))

/** The pictures of a stage: first the containers that are new in it, newest first; then the step's own. */
function picturesOfStep(step) {
  const stage = stageOf(step)?.number ?? 0
  const before = scenes.findLast(scene => scene.teller === step.teller && scene.stage < stage)
  const old = new Set(before?.pictures.map(({ id }) => id))
  const scene = `${step.teller}/${stage}`
  const first = TAUGHT[step.number]
  const all = picturesOf(step.teller, stage)
  const rank = ({ id, name }) => (!old.has(id) ? 0 : name === step.own ? 1 : 2)
  const newest = all.toReversed()
  return newest
    .toSorted((one, other) => rank(one) - rank(other))
    .map(picture => ({
      ...picture,
      scene: back ? scene : 'now',
      first,
      ended: picture.ended || Boolean(step.ended),
    }))
}

/** The pictures of a stage; while nothing of it has been seen, those of the stage before. */
function picturesOf(teller, stage) {
  const own = scenes.filter(scene => scene.teller === teller)
  const found = back ? own.find(scene => scene.stage === stage) : own.findLast(scene => scene.stage <= stage)
  return found?.pictures ?? []
}

/** The line at the top: about what is shown, and nothing else. */
function head(chosen, others) {
  const named = chosen.map(step => {
    const stage = stageOf(step)
    const at = stage && `${stage.number}/${stage.of} ${stage.title}`
    return [step.title, at, back ? 'looking back' : step.ended].filter(Boolean).join(' · ')
  })
  const alone =
    others.length === 1 ? `Container ${others[0].name}` : others.length ? `${others.length} containers` : ''
  sayNow(named.length ? named.join(' | ') : alone)
  const [held, failed] = ['held', 'failed'].map(key => chosen.reduce((sum, step) => sum + step[key], 0))
  const score = [
    ...(held ? [sign('held'), text('span', `${held} hold`)] : []),
    ...(failed ? [sign('failed'), text('span', `${failed} failed`)] : []),
  ]
  if (byId('score').textContent !== score.map(part => part.textContent).join(''))
    byId('score').replaceChildren(...score)
  const { places, at } = way()
  byId('way').hidden = places.length < 2
  byId('back').disabled = at === 0
  byId('on').disabled = at === places.length - 1
}

/** Sets the text only if it is new, because screen readers read changes aloud. */
export function sayNow(said) {
  if (byId('now').textContent !== said) byId('now').replaceChildren(text('span', said))
}

/** The stages that can be shown, and the current one; the last entry is the present. */
function way() {
  const step = back ? steps.get(back.teller) : [...steps.values()].at(-1)
  const stages = step?.stages.map(({ number }) => number) ?? []
  const places = past && picturesOf(null, 0).length ? [...stages, null] : stages
  return { step, places, at: back ? places.indexOf(back.stage) : places.length - 1 }
}

function go(by) {
  const { step, places, at } = way()
  const next = at + by
  if (!(next in places)) return
  back = next === places.length - 1 ? undefined : { teller: step.teller, stage: places[next] }
  scrollTo(step.teller, back?.stage)
  show()
}

/** Shows a step that begins. */
export function follow() {
  back = undefined
}

byId('back').addEventListener('click', () => go(-1))
byId('on').addEventListener('click', () => go(1))
addEventListener('keydown', ({ key, ctrlKey, altKey, metaKey }) => {
  if (ctrlKey || altKey || metaKey) return
  if (key === 'ArrowLeft') go(-1)
  if (key === 'ArrowRight') go(1)
})
