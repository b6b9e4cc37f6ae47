import { DiffPresenter } from '../../labs/present-diff.ts'

/** The current screen; redrawn when the window size changes. */
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

/** The screen of `minilab watch`: one view, with the keys below it. */
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

  /** Adds text below the current view. */
  add(more: View): void {
    const view = this.#view
    this.show(presenter => {
      view(presenter)
      more(presenter)
    })
  }

  /** Replaces `other` by `view` if `other` is on the screen; otherwise shows only `news`. */
  replace(other: View, view: View, news = ''): void {
    if (this.#view === other) return this.show(view)
    this.#news = news || this.#news
    if (news) this.#draw()
  }

  close(): void {
    process.stdout.off('resize', this.#draw)
  }
}
