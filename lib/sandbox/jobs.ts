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

/** One kind of job. The process that sends jobs and the one in the sandbox that does them use the same constant. */
export class Jobs<Job> {
  /** the descriptor on which the jobs arrive */
  readonly #socket: Subject<number>

  constructor(name: string) {
    this.#socket = new Subject(name)
  }

  /** Starts a minilab process in a sandbox, in its own session, which must call `serve`. Throws as startInSandbox does. */
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
   * In the sandbox: does each job that arrives, with the function that `begin` returns, until the socket closes. A job is done
   * when Node's event loop is empty: something that it did not await may still fail. A job that awaits a promise which never
   * settles ends the process, as it would end any Node program.
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
      socket.unref() // the socket alone does not keep Node running
      await act(JSON.parse(line) as Job)
      acted = true
      await idle.promise
      socket.write('.')
    }
  }
}

/**
 * A minilab process in the sandbox, started and waiting. Starting Node and loading a chapter takes longer than most jobs, so it
 * can be done in advance, and one process can do several jobs. The process sends one byte whenever it is ready for a job; we
 * send the job as one line of JSON. Results are written to files, because files survive when the process dies during a job.
 */
export class JobProcess<Job> implements AsyncDisposable {
  readonly #child: SandboxProcess
  readonly #socket: Socket
  readonly #ended: Promise<Exit>
  #alive = true
  /** resolves to undefined when the process waits for a job, or to its exit when it has ended */
  #waiting: Promise<Exit | undefined>

  constructor(child: SandboxProcess, socket: Socket) {
    this.#child = child
    this.#socket = socket
    socket.on('error', () => {}) // the process died: its exit says how
    this.#ended = child.exit.finally(() => {
      this.#alive = false
      socket.destroy()
    })
    this.#waiting = this.#nextByte()
  }

  #nextByte(): Promise<Exit | undefined> {
    const byte = once(this.#socket, 'data').then(
      () => undefined,
      () => this.#ended, // an error of the socket means that the other end is closed
    )
    return Promise.race([byte, this.#ended])
  }

  /** Resolves when the process has loaded everything and waits for a job, or when it has ended. */
  async ready(): Promise<void> {
    await this.#waiting
  }

  get alive(): boolean {
    return this.#alive
  }

  /**
   * Sends a job. Resolves when it is done, with the process's exit if it ended first. After `patience` milliseconds the process
   * is killed.
   */
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

  /** Kills the process during a job; `do` then resolves to its exit. */
  end(): void {
    this.#child.kill('SIGKILL')
  }

  /** Ends the process, and with it every process that it started. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#alive) this.#child.kill('SIGKILL')
    await this.#ended
  }
}
