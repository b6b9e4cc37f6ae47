import { parseArgs } from 'node:util'
import { ownFolder } from '../../lib/common/own-folder.ts'
import { BookError, print, type Problem } from './problem.ts'
import { canRecord, cannotRecord, Recorder } from './recording.ts'

/** What `book:sync` and `book:check` are asked for. */
export interface Asked {
  only: string[]
  recorder?: Recorder
}

/**
 * Reads the command line of `book:sync` and `book:check` (`[PAGE…] [--code]`), and prints what comes out. `act` gets, besides, a
 * remark on recordings that are not made. Exit status: 1 where there are problems, 2 for wrong use.
 */
export async function bookCommand(
  act: (asked: Asked, notMade: string) => Promise<{ lines: string[]; problems: Problem[] }>,
): Promise<void> {
  try {
    const { values, positionals } = readArgs()
    const notMade = values.code ? 'not run: --code' : canRecord ? '' : `not run: ${cannotRecord}`
    const { lines, problems } = await act(
      { only: positionals, ...(!notMade && { recorder: new Recorder(ownFolder) }) },
      notMade && ` (${notMade})`,
    )
    for (const line of [...problems.map(print), ...lines]) console.log(line)
    process.exitCode = problems.length > 0 ? 1 : 0
  } catch (error) {
    if (!(error instanceof BookError)) throw error
    console.error(`${error.message}: ${error.remedy}`)
    process.exitCode = 2
  }
}

function readArgs() {
  try {
    return parseArgs({ options: { code: { type: 'boolean' } }, allowPositionals: true })
  } catch (error) {
    throw new BookError((error as Error).message, 'there is --code, which leaves out the recordings')
  }
}
