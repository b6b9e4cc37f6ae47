import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { status } from '../../kernel/process/procfs.ts'

/** A process of the host that does nothing and has done nothing. It ends with the scope: `await using`. */
export interface Victim extends AsyncDisposable {
  pid: number
  /** the signal that ended it; undefined while it lives. Resolves at once where none was sent */
  ended(signalled: boolean): Promise<string | undefined>
  /** a field of its /proc/<pid>/status */
  field(name: string): string | undefined
}

export function victim(): Victim {
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' })
  const exit = once(child, 'exit') as Promise<[number | null, string | null]>
  const pid = child.pid ?? 0
  return {
    pid,
    async ended(signalled) {
      return signalled ? ((await exit)[1] ?? 'no signal') : undefined
    },
    field: name => status(pid)[name],
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exit
    },
  }
}
