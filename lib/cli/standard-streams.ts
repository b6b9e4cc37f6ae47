import { codeOf } from '../common/error-code.ts'
import { fstatSync, read, writeSync } from 'node:fs'
import { Readable, Writable } from 'node:stream'

/**
 * Gives `process` streams that leave the caller's pipes in the mode that they are in. Node's own make a pipe or socket
 * non-blocking, and that is a property of the open file, not of the descriptor: fcntl(2). Who else reads or writes it (the shell
 * that started us, our neighbours in a pipeline, the container's program) then gets EAGAIN, for good where we are killed.
 * To be called before anything is imported that looks at the streams: commander does.
 */
export function keepBlockingModes(): void {
  const makers = { stdin: () => new Input(0), stdout: () => new Output(1), stderr: () => new Output(2) }
  Object.entries(makers).forEach(([name, make], fd) => {
    const stat = fstatSync(fd)
    if (!stat.isFIFO() && !stat.isSocket()) return // Node opens a terminal again for itself, and files are always ready
    let stream: Readable | Writable | undefined
    const get = () => (stream ??= make())
    Object.defineProperty(process, name, { configurable: true, enumerable: true, get })
  })
}

/** Writes at once, as Node's own streams do to a pipe. Ends only with us. */
class Output extends Writable {
  readonly fd: number

  constructor(fd: number) {
    super({ decodeStrings: true })
    this.fd = fd
    // stderr without a reader: there is nobody to be told
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
        const { POLLOUT, ready } = await import('../kernel/process/poll.ts') // the caller has it non-blocking
        await ready(this.fd, POLLOUT)
      }
    }
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    done(error) // the descriptor stays open, as Node's does
  }
}

/** Reads only when there is something: a read that waits would keep us from ending. */
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
    // not by node:util, whose import looks at process.stderr
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
