import type { ServerResponse } from 'node:http'
import { certain } from '../../common/certain.ts'
import type { FeedEvent } from '../../guide/feed-event.ts'
import { drawSvg } from '../draw-svg.ts'
import { drawColumn } from './draw-column.ts'
import type { Teller } from './hear.ts'
import type { Seen } from './watch.ts'

/** What a page hears of a step; `broken` where it ended in the middle. */
export type Told = { teller: Teller } & (Exclude<FeedEvent, { kind: 'container' }> | { kind: 'broken' })

/** A container on a page. */
interface Shown {
  id: string
  name: string
  /** ISO 8601: when the kernel was asked */
  taken?: string
  /** SVG documents: for a wide place and for a narrow one; left out where they are as they were in the look before */
  drawings?: { wide: string; column: string }
  /** why there is none */
  problem?: string
}

/** So much is told to a viewer that comes later, or comes back. */
const MOST_TOLD = { events: 3000, characters: 2 ** 24 }

/** What a page that does not read has room for, in bytes; it may come back. */
const MOST_UNREAD = 2 ** 23

/**
 * The pages that are open: server-sent events, HTML standard 9.2. Three kinds: `told`, numbered, what a step told us; `containers`,
 * all that there are, and of those that changed a new drawing; both first with everything so far.
 */
export class Audience {
  readonly #pages = new Set<ServerResponse>()
  readonly #told: { number: number; text: string }[] = []
  readonly #watched: (watched: boolean) => void
  #count = 0
  #characters = 0
  #looks = 0
  #shown: Shown[] = []

  /** `watched` hears of the first page that opens, and of the last that closes. */
  constructor(watched: (watched: boolean) => void) {
    this.#watched = watched
  }

  /** A page opens, or comes back and has heard all up to `last`. Returns what is to be called when it closes. */
  enter(page: ServerResponse, last: number): () => void {
    for (const { number, text } of this.#told) if (number > last) page.write(text)
    if (this.#looks > 0) page.write(message('containers', { look: this.#looks, containers: this.#shown }))
    else page.write(': here\n\n') // so that the page learns at once that it has been let in
    this.#pages.add(page)
    if (this.#pages.size === 1) this.#watched(true)
    return () => {
      this.#pages.delete(page)
      if (this.#pages.size === 0) this.#watched(false)
    }
  }

  tell(told: Told): void {
    const number = ++this.#count
    const text = message('told', told, number)
    this.#told.push({ number, text })
    this.#characters += text.length
    while (this.#told.length > MOST_TOLD.events || this.#characters > MOST_TOLD.characters)
      this.#characters -= certain(this.#told.shift()).text.length
    this.#send(text)
  }

  /** One look at all containers. */
  show(seen: readonly Seen[]): void {
    const before = new Map(this.#shown.map(shown => [shown.id, shown]))
    this.#shown = seen.map(draw)
    const containers = this.#shown.map(({ drawings, ...shown }): Shown => {
      const old = before.get(shown.id)?.drawings
      const isNew = drawings && (drawings.wide !== old?.wide || drawings.column !== old.column)
      return isNew ? { ...shown, drawings } : shown
    })
    this.#send(message('containers', { look: ++this.#looks, containers }))
  }

  #send(text: string): void {
    for (const page of this.#pages) {
      if (page.writableLength < MOST_UNREAD) page.write(text)
      else page.destroy()
    }
  }
}

function draw({ id, name, found }: Seen): Shown {
  if (found instanceof Error) return { id, name, problem: found.message }
  const { taken } = found
  return { id, name, taken, drawings: { wide: withoutStyle(drawSvg(found)), column: drawColumn(found) } }
}

/** The page has it once for all: drawing.css. */
const withoutStyle = (svg: string) => svg.replace(/<style>.*?<\/style>/s, '')

/** JSON has no line breaks, so it is one `data` line. */
function message(event: string, data: object, id?: number): string {
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`
}
