import { certain } from '../../common/certain.ts'
import { plural, summary } from '../phrases.ts'
import { drawCards, type CardName } from './draw-cards.ts'
import type { Teller, Told } from './hear.ts'
import type { Seen } from './watch.ts'

/** A container as a page shows it. */
interface Picture {
  id: string
  name: string
  /** ISO 8601: when the kernel was asked */
  taken?: string
  /** `first process 4711, inside 1 · 2 processes` */
  facts?: string
  frozen?: boolean
  /** in one sentence, for a reader who cannot see it */
  summary?: string
  /** the drawings, by their numbers: a number always means the same one */
  cards: [name: CardName, drawing: number][]
  /** why there is none */
  problem?: string
  /** it has ended: this is how it was last seen */
  ended?: boolean
}

/** What there was to see in one stage of a step; `teller` is null for what `minilab run` has started. */
interface Scene {
  teller: Teller | null
  stage: number
  pictures: Picture[]
}

/** All scenes, and whether a container was started since the last step has ended. */
export interface Scenes {
  scenes: Scene[]
  past: boolean
}

interface Step {
  stage: number
  ended: boolean
  /** by the numbers of the stages, and the ids of the containers */
  stages: Map<number, Map<string, Picture>>
}

/** So many stages of a step are kept: no step has as many, but a learner's code may say so. */
const MOST_STAGES = 12

/**
 * What was seen of containers: of each stage of a step the last of each, also when the step has ended, until the next step
 * begins; and of the others what there is now.
 */
export class Pictures {
  readonly #steps = new Map<Teller, Step>()
  readonly #drawings = new Map<number, string>()
  #others = new Map<string, Picture>()
  #past = false
  #count = 0

  /** What a step tells decides where later pictures belong. */
  told({ teller, ...event }: Told): void {
    const step = this.#steps.get(teller)
    switch (event.kind) {
      case 'step':
      case 'ladder': {
        for (const [other, { ended }] of this.#steps) if (ended) this.#steps.delete(other)
        this.#past = false
        const stages = new Map([[0, new Map<string, Picture>()]])
        return void this.#steps.set(teller, { stage: 0, ended: false, stages })
      }
      case 'stage':
        return step && begin(step, event.number)
      case 'end':
      case 'broken':
        if (step) step.ended = true
    }
  }

  /** One look at all containers. Returns the drawings that are new, by their numbers. */
  looked(seen: readonly Seen[]): Record<number, string> {
    const before = this.#count
    for (const [teller, step] of this.#steps) {
      const stage = certain(step.stages.get(step.stage))
      const own = seen.filter(one => one.teller === teller)
      const ids = new Set(own.map(({ id }) => id))
      for (const [id, picture] of stage) if (!ids.has(id)) picture.ended = true
      for (const one of own) stage.set(one.id, this.#draw(one, stage.get(one.id)))
    }
    const others = seen.filter(({ teller }) => teller === null)
    if (this.#allEnded && others.some(({ id }) => !this.#others.has(id))) this.#past = true
    this.#others = new Map(others.map(one => [one.id, this.#draw(one, this.#others.get(one.id))]))
    this.#forget()
    return this.drawings(before)
  }

  get scenes(): Scenes {
    const ofSteps = [...this.#steps].flatMap(([teller, { stages }]) =>
      [...stages].map(([stage, pictures]) => ({ teller, stage, pictures: [...pictures.values()] })),
    )
    const others = { teller: null, stage: 0, pictures: [...this.#others.values()] }
    return { scenes: [...ofSteps, others], past: this.#past }
  }

  /** The drawings with a number above `after`. */
  drawings(after = 0): Record<number, string> {
    return Object.fromEntries([...this.#drawings].filter(([number]) => number > after))
  }

  get #allEnded(): boolean {
    return this.#steps.size > 0 && [...this.#steps.values()].every(({ ended }) => ended)
  }

  #draw({ id, name, found }: Seen, before?: Picture): Picture {
    if (found instanceof Error) return { id, name, cards: [], problem: found.message }
    const { pid, taken, processes, cgroup } = found
    const first = processes.roots.find(process => process.pid === pid)
    const cards = drawCards(found).map(({ name, svg }): [CardName, number] => {
      const old = before?.cards.find(([card]) => card === name)?.[1]
      if (old !== undefined && this.#drawings.get(old) === svg) return [name, old]
      this.#drawings.set(++this.#count, svg)
      return [name, this.#count]
    })
    const inside = first && first.inside !== pid ? `, inside ${first.inside}` : ''
    const facts = `first process ${pid}${inside} · ${plural(processes.count, 'process', 'processes')}`
    return { id, name, taken, facts, frozen: cgroup.frozen === true, summary: summary(found), cards }
  }

  /** Drawings that no picture has any more. */
  #forget(): void {
    const pictures = this.scenes.scenes.flatMap(scene => scene.pictures)
    const used = new Set(pictures.flatMap(({ cards }) => cards.map(([, number]) => number)))
    for (const number of this.#drawings.keys()) if (!used.has(number)) this.#drawings.delete(number)
  }
}

/**
 * A stage begins with the containers that ran at the last look: it may be over before the next one, and then this is its
 * picture.
 */
function begin(step: Step, number: number): void {
  const running = [...(step.stages.get(step.stage)?.values() ?? [])].filter(({ ended }) => !ended)
  step.stage = number
  step.stages.set(number, new Map(running.map(picture => [picture.id, { ...picture }])))
  const [oldest] = step.stages.keys()
  if (step.stages.size > MOST_STAGES && oldest !== undefined) step.stages.delete(oldest)
}
