import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { Socket } from 'node:net'
import type { Sandbox } from './kinds.ts'
import { type Program, type SandboxProcess, startInSandbox } from './start.ts'
import type { Exit } from '../kernel/process/child.ts'
import { AF_UNIX, F_SETFD, FD_CLOEXEC, SOCK_CLOEXEC, SOCK_STREAM } from '../kernel/syscalls/constants.ts'
import { int32s, now } from '../kernel/syscalls/now.ts'

/** What tells ourselves, started again in the sandbox, by which descriptor jobs come. */
const JOBS = 'MINILAB_JOBS'

/**
 * Ourselves in the sandbox, started and waiting. To start Node and to load a chapter takes longer than most jobs do, so it can
 * be done before there is one, and one process can do several. The process sends one byte whenever it waits for a job, which is
 * a JSON document in a line. What came of a job is in files: of those something is left, too, where the process dies in the
 * middle.
 */
export class JobProcess implements AsyncDisposable {
  readonly #child: SandboxProcess
  readonly #socket: Socket
  readonly #ended: Promise<Exit>
  #alive = true
  /** resolves when it waits for a job; or, to how it ended, when none can come to it any more */
  #waiting: Promise<Exit | undefined>

  private constructor(child: SandboxProcess, socket: Socket) {
    this.#child = child
    this.#socket = socket
    socket.on('error', () => {}) // it has died: that it ended says how
    this.#ended = child.exit.finally(() => {
      this.#alive = false
      socket.destroy()
    })
    this.#waiting = this.#nextByte()
  }

  #nextByte(): Promise<Exit | undefined> {
    const byte = once(this.#socket, 'data').then(
      () => undefined,
      () => this.#ended, // an error of the socket: there is nobody at its other end
    )
    return Promise.race([byte, this.#ended])
  }

  /** Resolves when it has loaded all that it needs, and waits; or when it has ended. */
  async ready(): Promise<void> {
    await this.#waiting
  }

  /** Starts a program in a sandbox. Throws as startInSandbox does. */
  static async start(sandbox: Sandbox, program: Omit<Program, 'keep'>): Promise<JobProcess> {
    const pair = new Uint8Array(8)
    now.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)
    const [ours = -1, theirs = -1] = int32s(pair)
    const socket = new Socket({ fd: ours })
    try {
      const env = { ...program.env, [JOBS]: String(theirs) }
      const child = await startInSandbox(sandbox, { ...program, env, keep: [theirs] })
      return new JobProcess(child, socket)
    } catch (error) {
      socket.destroy()
      throw error
    } finally {
      now.close(theirs)
    }
  }

  get alive(): boolean {
    return this.#alive
  }

  /** Does a job; resolves when it is done, or to how the process ended before. After `patience` milliseconds it is killed. */
  async do(job: unknown, patience: number): Promise<{ exit?: Exit; late: boolean }> {
    let late = false
    const timer = setTimeout(() => {
      late = true
      this.#child.kill('SIGKILL')
    }, patience)
    let exit = await this.#waiting
    if (!exit) {
      this.#waiting = this.#nextByte()
      this.#socket.write(JSON.stringify(job) + '\n')
      exit = await this.#waiting
    }
    clearTimeout(timer)
    return { ...(exit && { exit }), late }
  }

  /** Ends the process in the middle of a job: `do` resolves to how. */
  end(): void {
    this.#child.kill('SIGKILL')
  }

  /** Ends the process, and with it all that it has started. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#alive) this.#child.kill('SIGKILL')
    await this.#ended
  }
}

/**
 * In the sandbox: does each job that comes, until none can come any more, by the function that `begin` returns. A job is done
 * when nothing of it is pending: what it
 * forgot to await may still fail. One that awaits what never happens ends the process, as it would end a program.
 */
export async function doJobs<Job>(begin: () => (job: Job) => Promise<void>): Promise<void> {
  const fd = Number(process.env[JOBS])
  delete process.env[JOBS]
  now.fcntl(fd, F_SETFD, FD_CLOEXEC) // no container inherits it
  const socket = new Socket({ fd })
  const act = begin()
  socket.write('.')
  for await (const line of createInterface(socket)) {
    const idle = Promise.withResolvers<void>()
    let acted = false
    process.once('beforeExit', () => {
      if (!acted) return
      socket.ref()
      idle.resolve()
    })
    socket.unref() // by itself it does not keep Node running
    await act(JSON.parse(line) as Job)
    acted = true
    await idle.promise
    socket.write('.')
  }
}
