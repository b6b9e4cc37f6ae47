import { DiffPresenter } from '../../labs/present-diff.ts'

/** What is on the screen; drawn again when the window has another size. */
export type View = (presenter: DiffPresenter) => void

const CLEAR = '\x1b[2J\x1b[3J\x1b[H'
const KEYS = [
  'h hint',
  'd diff',
  'r run again',
  'v verdict',
  't task',
  'l list',
  'n next lab',
  'x reset',
  'q quit',
]

/** The screen of `minilab watch`: one view, and below it the keys. */
export class WatchScreen {
  #view: View = () => {}
  #news = ''
  readonly #draw = () => {
    process.stdout.write(CLEAR)
    const presenter = new DiffPresenter()
    this.#view(presenter)
    if (this.#news) presenter.note(this.#news)
    presenter.keys(KEYS)
  }

  constructor() {
    process.stdout.on('resize', this.#draw)
  }

  show(view: View): void {
    this.#view = view
    this.#news = ''
    this.#draw()
  }

  /** Below what is there. */
  add(more: View): void {
    const view = this.#view
    this.show(presenter => {
      view(presenter)
      more(presenter)
    })
  }

  /** Shows a view in the place of another that it belongs to; where another is looked at, only `news`. */
  replace(other: View, view: View, news = ''): void {
    if (this.#view === other) return this.show(view)
    this.#news = news || this.#news
    if (news) this.#draw()
  }

  close(): void {
    process.stdout.off('resize', this.#draw)
  }
}
