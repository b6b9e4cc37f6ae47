import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { Socket } from 'node:net'
import type { Sandbox } from './sandbox.ts'
import { type Program, type SandboxProcess, startInSandbox } from './start.ts'
import { closing } from '../common/descriptor.ts'
import { Subject } from '../kernel/process/handed.ts'
import type { Exit } from '../kernel/process/child.ts'
import { F_SETFD, FD_CLOEXEC } from '../kernel/syscalls/constants.ts'
import { socketPair } from '../kernel/process/pipe.ts'
import { now } from '../kernel/syscalls/now.ts'

/** One kind of job. The process that has jobs to do and the one in a sandbox that does them have the same constant. */
export class Jobs<Job> {
  /** the descriptor by which they come */
  readonly #socket: Subject<number>

  constructor(name: string) {
    this.#socket = new Subject(name)
  }

  /** Starts a process of ours in a sandbox, in its own session, which is to `serve` them. Throws as startInSandbox does. */
  async start(sandbox: Sandbox, program: Omit<Program, 'ownSession'>): Promise<JobProcess<Job>> {
    const [ours, theirs] = socketPair()
    using _ = closing(theirs)
    const socket = new Socket({ fd: ours })
    try {
      const told = { ...program.told, ...this.#socket.tell(theirs) }
      const all = { ...program, told, keep: [...(program.keep ?? []), theirs], ownSession: true }
      return new JobProcess(await startInSandbox(sandbox, all), socket)
    } catch (error) {
      socket.destroy()
      throw error
    }
  }

  /**
   * In the sandbox: does each job that comes, until none can come any more, by the function that `begin` returns. A job is done
   * when nothing of it is pending: what it forgot to await may still fail. One that awaits what never happens ends the process,
   * as it would end a program.
   */
  async serve(begin: () => (job: Job) => Promise<void>): Promise<void> {
    const fd = this.#socket.told
    if (fd === undefined) throw new Error('this process was not started to do jobs')
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
}

/**
 * Ourselves in the sandbox, started and waiting. To start Node and to load a chapter takes longer than most jobs do, so it can
 * be done before there is one, and one process can do several. The process sends one byte whenever it waits for a job, which is
 * a JSON document in a line. What came of a job is in files: of those something is left, too, where the process dies in the
 * middle.
 */
export class JobProcess<Job> implements AsyncDisposable {
  readonly #child: SandboxProcess
  readonly #socket: Socket
  readonly #ended: Promise<Exit>
  #alive = true
  /** resolves when it waits for a job; or, to how it ended, when none can come to it any more */
  #waiting: Promise<Exit | undefined>

  constructor(child: SandboxProcess, socket: Socket) {
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
      () => this.#ended, // an error of the socket: its other end is closed
    )
    return Promise.race([byte, this.#ended])
  }

  /** Resolves when it has loaded all that it needs, and waits; or when it has ended. */
  async ready(): Promise<void> {
    await this.#waiting
  }

  get alive(): boolean {
    return this.#alive
  }

  /** Does a job; resolves when it is done, or to how the process ended before. After `patience` milliseconds it is killed. */
  async do(job: Job, patience: number): Promise<{ exit?: Exit; late: boolean }> {
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
