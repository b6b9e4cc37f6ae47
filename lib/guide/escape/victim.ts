import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { certain } from '../../common/certain.ts'
import { status } from '../../kernel/process/procfs.ts'

/** A process of the host that does nothing and has done nothing. It ends with the scope: `await using`. */
export interface Victim extends AsyncDisposable {
  pid: number
  /** the signal that ended it; undefined while it lives. Resolves at once where none was sent */
  ended(signalled: boolean): Promise<string | undefined>
  /** a field of its /proc/<pid>/status */
  field(name: string): string | undefined
}

/** Starts one. Throws where there can be no process: to kill a child that has no pid would be kill(0), to our process group. */
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
