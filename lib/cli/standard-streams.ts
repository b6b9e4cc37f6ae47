import { codeOf } from '../common/error-code.ts'
import { fstatSync, read, writeSync } from 'node:fs'
import { Readable, Writable } from 'node:stream'

/**
 * Gives `process` streams that do not change the mode of the caller's pipes. Node's own streams make a pipe or socket
 * non-blocking, and that is a property of the open file, not of the descriptor: fcntl(2). Other processes that read or write it
 * (the shell that started us, our neighbours in a pipeline, the container's program) then get EAGAIN, for good if we are killed.
 * Call it before importing anything that looks at the streams: commander does.
 */
export function keepBlockingModes(): void {
  const makers = { stdin: () => new Input(0), stdout: () => new Output(1), stderr: () => new Output(2) }
  Object.entries(makers).forEach(([name, make], fd) => {
    const stat = fstatSync(fd)
    if (!stat.isFIFO() && !stat.isSocket()) return // Node reopens a terminal for itself, and files are always ready
    let stream: Readable | Writable | undefined
    const get = () => (stream ??= make())
    Object.defineProperty(process, name, { configurable: true, enumerable: true, get })
  })
}

/** Writes at once, as Node's own streams do to a pipe. Stays open as long as this process. */
class Output extends Writable {
  readonly fd: number

  constructor(fd: number) {
    super({ decodeStrings: true })
    this.fd = fd
    // stderr without a reader: there is nowhere to report it
    if (fd === 2) this.on('error', () => {})
  }

  override _write(bytes: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    void this.#put(bytes).then(() => done(), done)
  }

  async #put(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      try {
        at += writeSync(this.fd, bytes, at)
      } catch (error) {
        if (codeOf(error) !== 'EAGAIN') throw error
        const { POLLOUT, ready } = await import('../kernel/process/poll.ts') // the caller made it non-blocking
        await ready(this.fd, POLLOUT)
      }
    }
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    done(error) // the descriptor stays open, as with Node's streams
  }
}

/** Reads only when there is input: a blocked read would keep us from ending. */
class Input extends Readable {
  readonly fd: number
  #stop: (() => void) | undefined

  constructor(fd: number) {
    super()
    this.fd = fd
  }

  override _read(size: number): void {
    void this.#get(Buffer.alloc(size)).then(
      bytes => this.push(bytes),
      (error: Error) => this.destroy(error),
    )
  }

  async #get(buffer: Buffer): Promise<Buffer | null> {
    const { POLLIN, ready, Wake } = await import('../kernel/process/poll.ts')
    using wake = new Wake()
    this.#stop = () => wake.call()
    process.once('exit', this.#stop)
    try {
      if (!(await ready(this.fd, POLLIN, -1, wake))) return null
    } finally {
      process.off('exit', this.#stop)
      this.#stop = undefined
    }
    // not with node:util, which looks at process.stderr when imported
    const count = await new Promise<number>((resolve, reject) =>
      read(this.fd, buffer, 0, buffer.length, null, (error, count) =>
        error ? reject(error) : resolve(count),
      ),
    )
    return count ? buffer.subarray(0, count) : null
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#stop?.()
    done(error)
  }
}
