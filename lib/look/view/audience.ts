import type { ServerResponse } from 'node:http'
import { certain } from '../../common/certain.ts'
import type { Told } from './hear.ts'
import { Pictures } from './pictures.ts'
import { shortened } from './shortened.ts'
import type { Seen } from './watch.ts'

/** How much is kept for a page that opens later, or reconnects. */
const MOST_TOLD = { events: 3000, characters: 2 ** 24 }

/** Bytes that we keep for a page that does not read; then it is closed, and may reconnect. */
const MOST_UNREAD = 2 ** 23

/**
 * The open pages, and their server-sent events (HTML standard, 9.2). `told` events, which are numbered, are what a step
 * reports; `looked` events are all scenes and the new drawings in them. A new page first gets everything so far.
 */
export class Audience {
  readonly #pages = new Set<ServerResponse>()
  readonly #told: { number: number; text: string }[] = []
  readonly #watched: (watched: boolean) => void
  #count = 0
  #characters = 0
  #looks = 0
  readonly #pictures = new Pictures()

  /** `watched` is called when the first page opens, and when the last one closes. */
  constructor(watched: (watched: boolean) => void) {
    this.#watched = watched
  }

  /** Adds a page that opens, or reconnects and has everything up to `last`. Returns the function to call when it closes. */
  enter(page: ServerResponse, last: number): () => void {
    for (const { number, text } of this.#told) if (number > last) page.write(text)
    if (this.#looks > 0) page.write(this.#look(this.#pictures.drawings()))
    else page.write(': here\n\n') // so that the page knows at once that it is connected
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

  /** Shows one look at all containers. */
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

/** A server-sent event. JSON has no line breaks, so it needs one `data` line. */
function message(event: string, data: object, id?: number): string {
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`
}
