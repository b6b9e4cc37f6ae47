import type { ServerResponse } from 'node:http'
import { certain } from '../../common/certain.ts'
import type { Told } from './hear.ts'
import { Pictures } from './pictures.ts'
import { shortened } from './shortened.ts'
import type { Seen } from './watch.ts'

/** So much is told to a viewer that comes later, or comes back. */
const MOST_TOLD = { events: 3000, characters: 2 ** 24 }

/** What a page that does not read has room for, in bytes; it may come back. */
const MOST_UNREAD = 2 ** 23

/**
 * The pages that are open: server-sent events, HTML standard 9.2. Two kinds: `told`, numbered, what a step told us; `looked`,
 * all scenes, and the drawings in them that are new; both first with everything so far.
 */
export class Audience {
  readonly #pages = new Set<ServerResponse>()
  readonly #told: { number: number; text: string }[] = []
  readonly #watched: (watched: boolean) => void
  #count = 0
  #characters = 0
  #looks = 0
  readonly #pictures = new Pictures()

  /** `watched` hears of the first page that opens, and of the last that closes. */
  constructor(watched: (watched: boolean) => void) {
    this.#watched = watched
  }

  /** A page opens, or comes back and has heard all up to `last`. Returns what is to be called when it closes. */
  enter(page: ServerResponse, last: number): () => void {
    for (const { number, text } of this.#told) if (number > last) page.write(text)
    if (this.#looks > 0) page.write(this.#look(this.#pictures.drawings()))
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
    this.#pictures.told(told)
    const text = message('told', told.kind === 'broken' ? told : { ...told, ...shortened(told) }, number)
    this.#told.push({ number, text })
    this.#characters += text.length
    while (this.#told.length > MOST_TOLD.events || this.#characters > MOST_TOLD.characters)
      this.#characters -= certain(this.#told.shift()).text.length
    this.#send(text)
  }

  /** One look at all containers. */
  show(seen: readonly Seen[]): void {
    const drawings = this.#pictures.looked(seen)
    this.#looks++
    this.#send(this.#look(drawings))
  }

  #look(drawings: Record<number, string>): string {
    return message('looked', { look: this.#looks, ...this.#pictures.scenes, drawings })
  }

  #send(text: string): void {
    for (const page of this.#pages) {
      if (page.writableLength < MOST_UNREAD) page.write(text)
      else page.destroy()
    }
  }
}

/** JSON has no line breaks, so it is one `data` line. */
function message(event: string, data: object, id?: number): string {
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`
}
