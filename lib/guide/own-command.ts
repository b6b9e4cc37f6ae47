import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import type { Presenter } from './present.ts'

/** How a command of ours answered: its exit status, and what it printed. */
export interface Answer {
  status: number | null
  output: string
}

/** Runs `minilab ARGS` as a process of its own, and shows both unless no presenter is given. */
export async function ownCommand(presenter: Presenter | undefined, args: string[]): Promise<Answer> {
  const child = spawn(process.execPath, [process.argv[1] ?? '', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit')
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)])
  const [status] = (await exited) as [number | null]
  const said = (output + errors).trimEnd()
  presenter?.line(`      $ minilab ${args.map(quote).join(' ')}`)
  for (const line of said.split('\n').filter(Boolean)) presenter?.line(`        ${line}`)
  if (status !== 0) presenter?.line(`        (exit status ${status})`)
  return { status, output: said }
}

const quote = (word: string) => (/^[\w./:=-]+$/.test(word) ? word : `'${word}'`)
