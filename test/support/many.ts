// Runs command lines of minilab in one process, one after the other: what a process of its own needs to start and to load its
// modules is most of what a command takes. Each comes as a message; behind all that it prints comes its mark, on both outputs.
import { join } from 'node:path'
import { keepBlockingModes } from '../../lib/cli/standard-streams.ts'

/** One command line: the words behind `minilab`, its environment, and what is printed at its end. */
export interface Command {
  args: string[]
  env: NodeJS.ProcessEnv
  mark: string
}

const ENTRY = join(import.meta.dirname, '../../bin.mjs')
keepBlockingModes()
const { main } = await import('../../lib/cli/program.ts')
process.stdout.setMaxListeners(0)

/** The end of one command, which would be that of its process. */
class Left extends Error {}
const exit = process.exit.bind(process)
process.on('disconnect', () => exit(0))
process.exit = status => {
  process.exitCode = status ?? process.exitCode ?? 0
  throw new Left()
}

process.on('message', (command: Command) => void run(command))

async function run({ args, env, mark }: Command): Promise<void> {
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name]
  Object.assign(process.env, env)
  process.exitCode = undefined
  process.argv = [process.execPath, ENTRY, ...args]
  await main(process.argv, 'test').catch((error: unknown) => {
    if (!(error instanceof Left)) throw error
  })
  const status = process.exitCode ?? 0
  await print(mark)
  process.send!(status)
}

/** To both outputs, behind all that is on its way: writeSync() would throw EAGAIN where nobody has read for long enough. */
async function print(mark: string): Promise<void> {
  await new Promise(written => process.stdout.write(mark, written))
  await new Promise(written => process.stderr.write(mark, written))
}
