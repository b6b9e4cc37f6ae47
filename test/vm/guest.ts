// Runs inside the guest, as its ordinary user: each line of stdin asks for a command, each line of stdout answers one.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'

export interface Request {
  id: number
  command: string[]
}

export interface Answer {
  id: number
  status: number | null
  signal: string | null
  stdout: string
  stderr: string
  /** milliseconds that it took, by the guest's clock */
  ms: number
}

async function run({ id, command }: Request): Promise<Answer> {
  const [program = '', ...args] = command
  const began = performance.now()
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(child, 'close') as Promise<[number | null, string | null]>
  const [stdout, stderr, [status, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    ended,
  ])
  return { id, status, signal, stdout, stderr, ms: Math.round(performance.now() - began) }
}

// The port takes 32 KiB at a time (drivers/char/virtio_console.c): writeFileSync goes on until all is written.
const answer = (message: Answer) => writeFileSync(1, JSON.stringify(message) + '\n')

answer({ id: 0, status: 0, signal: null, stdout: '', stderr: '', ms: 0 }) // here we are
for await (const line of createInterface({ input: createReadStream('', { fd: 0 }) })) {
  const request = JSON.parse(line) as Request
  run(request).then(answer, (error: Error) =>
    answer({ id: request.id, status: 127, signal: null, stdout: '', stderr: error.message, ms: 0 }),
  )
}
