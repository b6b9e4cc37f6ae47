import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { CommandLine } from './many.ts'
import { isRoot, ORDINARY, type Ran, type RunOptions, userData } from './minilab.ts'

/** What one command line of many did. */
export type Answer = Pick<Ran, 'status' | 'stdout' | 'stderr'> & { args: string[] }

/**
 * Runs `minilab ARGS` for each of some command lines, one after the other in one process (many.ts), which has the descriptors
 * `open` besides. Throws where that process does not come to its end within `seconds`: a command hung, or killed it.
 */
export async function runMany(
  commands: CommandLine[],
  { user, data = userData(user), env = {}, wrapper = [] }: RunOptions = {},
  { open = [], seconds = 50 }: { open?: number[]; seconds?: number } = {},
): Promise<Answer[]> {
  const mark = `\n--${randomBytes(9).toString('hex')}--\n`
  const [command = '', ...rest] = [...wrapper, process.execPath, join(import.meta.dirname, 'many.ts'), mark]
  const child = spawn(command, rest, {
    cwd: '/',
    stdio: ['pipe', 'pipe', 'pipe', ...open],
    env: { ...process.env, HOME: data, MINILAB_DATA: data, UV_THREADPOOL_SIZE: '8', ...env },
    ...(isRoot && user === 'ordinary' ? ORDINARY : {}),
  })
  const patience = setTimeout(() => child.kill('SIGKILL'), seconds * 1000)
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  child.stdin!.end(JSON.stringify(commands))
  const [out, err, [status, signal]] = await Promise.all([
    text(child.stdout as Readable),
    text(child.stderr as Readable),
    ended,
  ])
  clearTimeout(patience)
  const [stdouts, stderrs] = [out, err].map(output => output.split(mark).slice(1))
  const last = stdouts!.length - 1
  if (status !== 0 || last !== commands.length)
    throw new Error(
      `minilab ${JSON.stringify(commands[last])} did not return (${status ?? signal}): ${stderrs?.at(-1)}`,
    )
  const statuses = JSON.parse(stdouts![last]!) as number[]
  return commands.map((args, i) => ({
    args,
    status: statuses[i]!,
    stdout: stdouts![i]!,
    stderr: stderrs![i]!,
  }))
}

/** Whether it is one line that says what is wrong and what to do, with a status that says whose fault it is. */
export function isRefusal({ status, stderr }: Pick<Answer, 'status' | 'stderr'>): boolean {
  return (
    [2, 3, 125, 126, 127].includes(status ?? 0) &&
    /^minilab: [ -~\u00a0-\uffff]+: [ -~\u00a0-\uffff]+\n$/.test(stderr)
  )
}
