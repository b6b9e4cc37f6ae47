import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { certain } from '../../common/certain.ts'
import { status } from '../../kernel/process/procfs.ts'

/** An idle process of the host. It ends with the scope: `await using`. */
export interface Victim extends AsyncDisposable {
  pid: number
  /** the signal that ended it; undefined while it lives. `signalled`: whether one was sent; if not, resolves at once */
  ended(signalled: boolean): Promise<string | undefined>
  /** a field of its /proc/<pid>/status */
  field(name: string): string | undefined
}

/**
 * Starts a victim. Throws if it cannot: kill() with the pid of a child that does not exist would be kill(0), to our own process
 * group.
 */
export async function victim(): Promise<Victim> {
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' })
  await once(child, 'spawn')
  const exit = once(child, 'exit') as Promise<[number | null, string | null]>
  const pid = certain(child.pid)
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
