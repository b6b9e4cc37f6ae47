import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

interface Message {
  id?: number
  method?: string
  params?: { items?: unknown[] }
  result?: unknown
}

/** What an editor has behind it: TypeScript's language server, by the Language Server Protocol on its stdin and stdout. */
export class LanguageServer {
  readonly #server
  readonly #waiting = new Map<number, (result: unknown) => void>()
  #received = Buffer.alloc(0)
  #id = 0

  constructor(folder: string) {
    const tsc = join(import.meta.dirname, '../../node_modules/.bin/tsc')
    this.#server = spawn(tsc, ['--lsp', '--stdio'], { cwd: folder, stdio: ['pipe', 'pipe', 'ignore'] })
    this.#server.stdout.on('data', (data: Buffer) => {
      this.#received = Buffer.concat([this.#received, data])
      for (let message = this.#next(); message; message = this.#next()) this.#answer(message)
    })
  }

  /** One message behind its header, once it is there whole. */
  #next(): Message | undefined {
    const header = /^Content-Length: (\d+)\r\n(?:.*\r\n)*?\r\n/.exec(this.#received.toString('latin1'))
    if (!header) return undefined
    const [start, end] = [header[0].length, header[0].length + Number(header[1])]
    if (this.#received.length < end) return undefined
    const message = JSON.parse(this.#received.subarray(start, end).toString()) as Message
    this.#received = this.#received.subarray(end)
    return message
  }

  #answer({ id, method, params, result }: Message): void {
    if (id === undefined) return
    // what it asks us: it gets no settings
    if (method) this.#send({ id, result: params?.items?.map(() => null) ?? null })
    else this.#waiting.get(id)?.(result)
  }

  #send(message: object): void {
    const text = JSON.stringify({ jsonrpc: '2.0', ...message })
    this.#server.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`)
  }

  request(method: string, params: object): Promise<unknown> {
    const id = ++this.#id
    this.#send({ id, method, params })
    return new Promise(resolve => this.#waiting.set(id, resolve))
  }

  /** Opens a file; `behind(words)` is the place right behind words of it. */
  async open(file: string): Promise<(words: string) => object> {
    const [uri, text] = [pathToFileURL(file).href, readFileSync(file, 'utf8')]
    await this.request('initialize', { processId: process.pid, rootUri: null, capabilities: {} })
    this.#send({ method: 'initialized', params: {} })
    this.#send({
      method: 'textDocument/didOpen',
      params: { textDocument: { uri, languageId: 'typescript', version: 1, text } },
    })
    return words => {
      const before = text.slice(0, text.indexOf(words) + words.length).split('\n')
      return {
        textDocument: { uri },
        position: { line: before.length - 1, character: before.at(-1)!.length },
      }
    }
  }

  close(): void {
    this.#server.kill()
  }
}
