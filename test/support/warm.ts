import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { Command } from './many.ts'
import type { Identity, Ran } from './minilab.ts'

type Printed = Pick<Ran, 'status' | 'stdout' | 'stderr'>

/** A process that runs one command line of minilab after the other (many.ts); it ends with this one, or by `using`. */
export class Warm implements Disposable {
  readonly #child: ChildProcess
  readonly #outputs: [Output, Output]

  /** Has the descriptors `open` besides. */
  constructor(identity: Identity, env: NodeJS.ProcessEnv, wrapper: string[] = [], open: number[] = []) {
    const [command = '', ...rest] = [...wrapper, process.execPath, join(import.meta.dirname, 'many.ts')]
    this.#child = spawn(command, rest, {
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe', ...open, 'ipc'],
      env: { ...env, UV_THREADPOOL_SIZE: '8' }, // as bin.mjs does
      ...identity,
    })
    this.#outputs = [new Output(this.#child.stdout!), new Output(this.#child.stderr!)]
    this.#idle()
  }

  get isThere(): boolean {
    return this.#child.connected
  }

  /** Runs `minilab ARGS`. Throws where that does not come to its end within `seconds`: it hung, or killed the process. */
  async run(args: string[], env: NodeJS.ProcessEnv, seconds = 300): Promise<Printed> {
    for (const handle of this.#handles()) handle.ref()
    const mark = `\n--${randomBytes(9).toString('hex')}--\n`
    const patience = setTimeout(() => this.#child.kill('SIGKILL'), seconds * 1000)
    const ended = new AbortController()
    const gone = once(this.#child, 'close', { signal: ended.signal }) as Promise<
      [number | null, string | null]
    >
    gone.catch(() => {}) // aborted below
    const outputs = this.#outputs.map(output => output.until(mark))
    const status = once(this.#child, 'message', { signal: ended.signal }) as Promise<[number]>
    status.catch(() => {})
    this.#child.send({ args, env, mark } satisfies Command)
    try {
      const answer = await Promise.race([Promise.all([status, ...outputs]), gone.then(how => ({ how }))])
      if ('how' in answer)
        throw new Error(
          `minilab ${JSON.stringify(args)} did not return (${answer.how[0] ?? answer.how[1]}): ${this.#outputs[1].text}`,
        )
      const [[number], stdout, stderr] = answer as [[number], string, string]
      return { status: number, stdout, stderr }
    } finally {
      ended.abort()
      clearTimeout(patience)
      this.#idle()
    }
  }

  /** Between two commands it does not keep this process from ending. */
  #idle(): void {
    for (const handle of this.#handles()) handle.unref()
  }

  #handles(): { ref(): void; unref(): void }[] {
    const { stdout, stderr, channel } = this.#child
    return [this.#child, stdout, stderr, channel].filter(handle => !!handle) as never[]
  }

  [Symbol.dispose](): void {
    if (this.#child.connected) this.#child.disconnect()
  }
}

/** What a process prints, cut at marks. */
class Output {
  text = ''
  #seen = () => {}

  constructor(stream: Readable) {
    stream.setEncoding('utf8')
    stream.on('data', (more: string) => {
      this.text += more
      this.#seen()
    })
  }

  /** What comes before the mark. */
  until(mark: string): Promise<string> {
    return new Promise(resolve => {
      this.#seen = () => {
        const at = this.text.lastIndexOf(mark)
        if (at < 0) return
        const before = this.text.slice(0, at)
        this.text = this.text.slice(at + mark.length)
        this.#seen = () => {}
        resolve(before)
      }
    })
  }
}
