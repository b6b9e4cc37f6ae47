import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import type { Command } from './many.ts'
import type { Identity, Printed } from './minilab.ts'

type Closed = [status: number | null, signal: NodeJS.Signals | null]

/** A process that runs one command line of minilab after the other (many.ts). It ends with this process, or by `using`. */
export class Warm implements Disposable {
  readonly #child: ChildProcess
  readonly #outputs: [Output, Output]
  readonly #gone: Promise<Closed>

  /** Has the descriptors `open` besides. */
  constructor(identity: Identity, env: NodeJS.ProcessEnv, wrapper: string[] = [], open: number[] = []) {
    const [command = '', ...rest] = [...wrapper, process.execPath, join(import.meta.dirname, 'many.ts')]
    this.#child = spawn(command, rest, {
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe', ...open, 'ipc'],
      env,
      ...identity,
    })
    this.#outputs = [new Output(this.#child.stdout as Socket), new Output(this.#child.stderr as Socket)]
    this.#gone = once(this.#child, 'close') as Promise<Closed>
    this.#setKeepsUs(false)
  }

  get isThere(): boolean {
    return this.#child.connected
  }

  /** Runs `minilab ARGS`. Throws where that does not come to its end within `seconds`: it hung, or killed the process. */
  async run(args: string[], env: NodeJS.ProcessEnv, seconds = 300): Promise<Printed> {
    const mark = `\n--${randomBytes(9).toString('hex')}--\n`
    const [stdout, stderr] = this.#outputs
    const patience = setTimeout(() => this.#child.kill('SIGKILL'), seconds * 1000)
    this.#setKeepsUs(true)
    const answer = Promise.all([
      once(this.#child, 'message') as Promise<[number]>,
      stdout.until(mark),
      stderr.until(mark),
    ])
    const gone = this.#gone.then(([status, signal]) => {
      throw new Error(`minilab ${JSON.stringify(args)} did not return (${status ?? signal}): ${stderr.text}`)
    })
    this.#child.send({ args, env, mark } satisfies Command)
    try {
      const [[status], out, err] = await Promise.race([answer, gone])
      return { status, stdout: out, stderr: err }
    } finally {
      clearTimeout(patience)
      this.#setKeepsUs(false)
    }
  }

  /** Whether it keeps this process from ending: only while it runs a command. */
  #setKeepsUs(keeps: boolean): void {
    const { stdout, stderr, channel } = this.#child
    for (const handle of [this.#child, stdout as Socket, stderr as Socket, channel])
      if (keeps) handle?.ref()
      else handle?.unref()
  }

  [Symbol.dispose](): void {
    if (this.#child.connected) this.#child.disconnect()
  }
}

/** What a process prints, cut at marks. */
class Output {
  text = ''
  #look = () => {}

  constructor(stream: Socket) {
    stream.setEncoding('utf8')
    stream.on('data', (more: string) => {
      this.text += more
      this.#look()
    })
  }

  /** What comes before the mark. */
  until(mark: string): Promise<string> {
    return new Promise(resolve => {
      this.#look = () => {
        const [before = '', after] = this.text.split(mark)
        if (after === undefined) return
        this.text = after
        resolve(before)
      }
    })
  }
}
