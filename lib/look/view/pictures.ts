import { certain } from '../../common/certain.ts'
import { plural, summary } from '../phrases.ts'
import { drawCards, type CardName } from './draw-cards.ts'
import type { Teller, Told } from './hear.ts'
import type { Seen } from './watch.ts'

/** A container as a page shows it. */
interface Picture {
  id: string
  name: string
  /** ISO 8601: when it was read from the kernel */
  taken?: string
  /** `first process 4711, inside 1 · 2 processes` */
  facts?: string
  frozen?: boolean
  /** one sentence, for screen readers */
  summary?: string
  /** its drawings, by number: a number always means the same drawing */
  cards: [name: CardName, drawing: number][]
  /** why there is no drawing */
  problem?: string
  /** it has ended: this is its last picture */
  ended?: boolean
}

/** What was seen in one stage of a step; `teller` is null for containers of `minilab run`. */
interface Scene {
  teller: Teller | null
  stage: number
  pictures: Picture[]
}

/** All scenes, and whether a container was started since the last step ended. */
export interface Scenes {
  scenes: Scene[]
  past: boolean
}

interface Step {
  stage: number
  ended: boolean
  /** by the numbers of the stages and the ids of the containers */
  stages: Map<number, Map<string, Picture>>
}

/** How many stages of a step are kept. No step has as many, but a learner's code may send more. */
const MOST_STAGES = 12

/**
 * What was seen of containers. For a step: the last picture of each container in each stage, kept until the next step begins.
 * For other containers: only the present.
 */
export class Pictures {
  readonly #steps = new Map<Teller, Step>()
  readonly #drawings = new Map<number, string>()
  #others = new Map<string, Picture>()
  #past = false
  #count = 0

  /** Handles an event of a step, which decides where later pictures belong. */
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

  /** Stores one look at all containers. Returns the new drawings, by number. */
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

  /** Removes drawings that no picture uses. */
  #forget(): void {
    const pictures = this.scenes.scenes.flatMap(scene => scene.pictures)
    const used = new Set(pictures.flatMap(({ cards }) => cards.map(([, number]) => number)))
    for (const number of this.#drawings.keys()) if (!used.has(number)) this.#drawings.delete(number)
  }
}

/** Begins a stage with the containers of the last look: if the stage ends before the next look, they are its picture. */
function begin(step: Step, number: number): void {
  const running = [...(step.stages.get(step.stage)?.values() ?? [])].filter(({ ended }) => !ended)
  step.stage = number
  step.stages.set(number, new Map(running.map(picture => [picture.id, { ...picture }])))
  const [oldest] = step.stages.keys()
  if (step.stages.size > MOST_STAGES && oldest !== undefined) step.stages.delete(oldest)
}
