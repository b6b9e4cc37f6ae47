import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'

const ENTRY = join(import.meta.dirname, '../../bin.mjs')

/** Why there can be no terminal here, or ''. A pipe is none, so tests that are about one are skipped then. */
export const noTmux = spawnSync('tmux', ['-V']).status === 0 ? '' : ' (no tmux: apt-get install tmux)'

/** A real terminal: a tmux server of the test's own, in which `minilab` can be typed. */
export class Terminal {
  #closed = false
  readonly #socket = `minilab-${process.pid}-${Math.random().toString(36).slice(2)}`

  constructor(env: Record<string, string>, { columns = 100, rows = 40 } = {}) {
    onTestFinished(() => this.close())
    const variables = Object.entries(env).flatMap(([name, value]) => ['-e', `${name}=${value}`])
    const size = ['-x', String(columns), '-y', String(rows)]
    this.#tmux(
      '-f',
      '/dev/null',
      'new-session',
      '-d',
      '-s',
      'test',
      ...size,
      ...variables,
      "PS1='ready> ' exec sh -i",
    )
    this.#tmux('set-option', '-g', 'history-limit', '5000')
    // what is typed before the first prompt is echoed in front of it
    const late = Date.now() + 180_000
    while (!this.screen().includes('ready>') && Date.now() < late);
  }

  #tmux(...args: string[]): string {
    return execFileSync('tmux', ['-L', this.#socket, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  }

  /** Everything on the screen and above it. */
  screen(): string {
    return this.#tmux('capture-pane', '-p', '-J', '-S', '-', '-t', 'test')
  }

  /** Waits until the screen shows something: keys that come before a prompt is drawn are lost. */
  async shows(what: string | RegExp, seconds = 180): Promise<void> {
    const seen = expect.poll(() => this.screen(), { timeout: seconds * 1000, interval: 50 })
    await (typeof what === 'string' ? seen.toContain(what) : seen.toMatch(what))
  }

  type(line: string): void {
    this.#tmux('send-keys', '-t', 'test', '-l', line)
    this.key('Enter')
  }

  /** Types `minilab ARGS`, behind another command such as setpriv. */
  minilab(args: string, wrapper = ''): void {
    this.type(`${wrapper}${process.execPath} ${ENTRY} ${args}`)
  }

  /** A key by tmux's name: `C-c`, `Down`, `Enter`. */
  key(name: string): void {
    this.#tmux('send-keys', '-t', 'test', name)
  }

  /** Ends a program by a key, and waits for the prompt: by then it has taken back what it made. */
  async quit(key = 'q', prompt = /ready>\s*$/): Promise<void> {
    this.key(key)
    await this.shows(prompt)
  }

  /** Text that is pasted, between brackets where the program has asked for them. */
  paste(text: string, { brackets = true } = {}): void {
    if (!brackets) return void this.#tmux('send-keys', '-t', 'test', '-l', text)
    this.#tmux('set-buffer', '--', text)
    this.#tmux('paste-buffer', '-p', '-t', 'test')
  }

  /** Closes the window: SIGHUP for all that runs in it. */
  close(): void {
    if (!this.#closed) this.#tmux('kill-server')
    this.#closed = true
  }

  resize(columns: number, rows: number): void {
    this.#tmux('resize-window', '-t', 'test', '-x', String(columns), '-y', String(rows))
  }
}
