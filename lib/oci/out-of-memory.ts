import { openSync, readSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { closing } from '../common/descriptor.ts'
import { POLLIN, POLLPRI } from '../kernel/process/poll.ts'
import { O_CLOEXEC } from '../kernel/syscalls/constants.ts'
import { now } from '../kernel/syscalls/now.ts'
import type { State } from './state.ts'

/**
 * Tells when the kernel kills in a container because its memory ran out. cgroup v1 raises an eventfd (cgroup-v1/memory.rst, "OOM
 * Control"); v2 counts in a file, which poll(2) reports as changed (cgroup-v2.rst, memory.events).
 */
export class OutOfMemory implements Disposable {
  readonly #stack = new DisposableStack()
  readonly #version: number
  readonly #fd: number
  #kills = 0

  /** Undefined for a container whose memory no cgroup counts. */
  static of({ cgroups }: State): OutOfMemory | undefined {
    const place = cgroups.find(({ controllers }) => controllers.includes('memory'))
    return place && new OutOfMemory(place)
  }

  private constructor({ path, version }: State['cgroups'][number]) {
    this.#version = version
    if (version === 2) {
      this.#fd = this.#stack.use(closing(openSync(join(path, 'memory.events'), 'r'))).fd
      this.#kills = this.#counted() // poll(2) reports what has changed since the last read
      return
    }
    this.#fd = this.#stack.use(closing(now.eventfd2(0, O_CLOEXEC))).fd
    using control = closing(openSync(join(path, 'memory.oom_control'), 'r'))
    writeFileSync(join(path, 'cgroup.event_control'), `${this.#fd} ${control.fd}`)
  }

  /** The descriptor, and what to wait for on it. */
  get wanted(): [fd: number, events: number] {
    return [this.#fd, this.#version === 2 ? POLLPRI : POLLIN]
  }

  /** Whether that was it: the file of v2 has other counters, too. To be asked once the descriptor is ready. */
  happened(): boolean {
    if (this.#version === 1) return readSync(this.#fd, Buffer.alloc(8)) === 8
    const before = this.#kills
    this.#kills = this.#counted()
    return this.#kills > before
  }

  #counted(): number {
    const text = Buffer.alloc(4096)
    const length = readSync(this.#fd, text, 0, text.length, 0)
    return Number(/^oom_kill (\d+)$/m.exec(text.toString('utf8', 0, length))?.[1])
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
  }
}
