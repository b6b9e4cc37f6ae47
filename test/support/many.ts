// Runs several command lines of minilab in one process, one after the other: hundreds of them then take seconds, where a
// process for each would take minutes. Before each a mark goes to both outputs, and after the last one the exit statuses.
//   node many.ts MARK < [["run", "--rm", …], …]
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The words behind `minilab`. */
export type CommandLine = string[]

const ENTRY = join(import.meta.dirname, '../../bin.mjs')
const [, , mark = ''] = process.argv
const commands = JSON.parse(readFileSync(0, 'utf8')) as CommandLine[]
const { main } = await import('../../lib/cli/program.ts')
process.stdout.setMaxListeners(0)

/** The end of one command, which would be that of its process. */
class Left extends Error {}
process.exit = status => {
  process.exitCode = status ?? process.exitCode ?? 0
  throw new Left()
}

const statuses: unknown[] = []
for (const args of commands) {
  await print(mark)
  process.exitCode = undefined
  process.argv = [process.execPath, ENTRY, ...args]
  await main(process.argv, 'test').catch((error: unknown) => {
    if (!(error instanceof Left)) throw error
  })
  statuses.push(process.exitCode ?? 0)
}
await print(mark, JSON.stringify(statuses))
process.exitCode = 0

/** To both outputs, behind all that is on its way: writeSync() would throw EAGAIN where nobody has read for long enough. */
async function print(mark: string, last = ''): Promise<void> {
  await new Promise(written => process.stdout.write(mark + last, written))
  await new Promise(written => process.stderr.write(mark, written))
}
