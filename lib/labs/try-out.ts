import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { startOnBench } from '../container/bench.ts'
import { withStandIn } from '../guide/stand-in.ts'
import { dataFolder } from '../image/data-folder.ts'
import type { Exit } from '../kernel/child.ts'
import { UsageError } from '../kernel/errors.ts'
import { placeAt } from './place.ts'
import type { Problem } from './problem.ts'
import { STUCK_FILE, type Trial, TRIAL_FILE, type TrialRequest } from './trial.ts'
import { ENDLESS, type Stuck } from './watchdog.ts'

/** How long a trial may take altogether, in milliseconds: what waits for ever is no endless loop. */
const LIMIT = Number(process.env.MINILAB_TRIAL_LIMIT ?? 60_000)

/** How much memory the learner's JavaScript may use, in MiB. */
const HEAP = 512

const SAID_FILE = 'said.txt'
const MOST_SAID = 4000 // characters

/** What tells ourselves, started again on the bench, what to do there. */
export const TRIAL = 'MINILAB_TRIAL'

/** What became of the learner's code, and what it printed meanwhile. */
export interface TriedOut extends Trial {
  said: string
}

/**
 * Tries the learner's code out, in a process of its own on a bench of its own: all that it can spoil is there, and ends with
 * it. Resolves to what there is to say; throws where the machine lacks what a bench needs, or the folder cannot be used.
 */
export async function tryOut(request: TrialRequest): Promise<TriedOut> {
  if (`${request.folder}/`.startsWith(`${dataFolder()}/`))
    throw new UsageError(
      `the workspace ${request.folder} lies in minilab's own data folder, which is exchanged for the trial`,
      'move it, or set MINILAB_DATA to another folder',
    )
  return withStandIn(async stand => {
    const out = openSync(join(stand.by, SAID_FILE), 'w+')
    const nothing = openSync('/dev/null', 'r')
    try {
      const args = [
        process.execPath,
        `--max-old-space-size=${HEAP}`,
        process.argv[1]!,
        'check',
        String(request.number),
      ]
      const env = { ...process.env, [TRIAL]: JSON.stringify(request), MINILAB_DATA: dataFolder() }
      const child = await startOnBench(args, env, {
        allIds: !request.rootless,
        stand,
        stdio: [nothing, out, out],
      })
      let late = false
      const patience = setTimeout(() => {
        late = true
        child.kill('SIGKILL')
      }, LIMIT)
      const exit = await child.exit
      clearTimeout(patience)
      const said = readFileSync(join(stand.by, SAID_FILE), 'utf8')
      const trial = read<Trial>(stand.by, TRIAL_FILE) ?? { tapes: {}, host: [] }
      const problem = trial.report
        ? trial.problem
        : (trial.problem ?? problemOf(exit, late, said, request, stand.by))
      return { ...trial, ...(problem && { problem }), said: said.slice(0, MOST_SAID) }
    } finally {
      closeSync(out)
      closeSync(nothing)
    }
  })
}

/** Why it ended without a word. */
function problemOf(exit: Exit, late: boolean, said: string, { folder }: TrialRequest, by: string): Problem {
  const stuck = read<Stuck>(by, STUCK_FILE)
  if (exit.status === ENDLESS && stuck) {
    const at = stuck.file.startsWith(`${folder}/`) ? placeAt(stuck.file, stuck.line) : undefined
    return { what: 'it runs without end', ...(at && { at }), remedy: 'let that loop come to an end' }
  }
  if (late)
    return {
      what: `it had not come to an end after ${LIMIT / 1000} s`,
      remedy: 'what does it wait for, that never comes?',
    }
  if (/heap out of memory|Allocation failed/.test(said))
    return {
      what: `it used more than ${HEAP} MiB of memory`,
      remedy: 'what does it keep, that grows for ever?',
    }
  const how = exit.signal ? `signal ${exit.signal}` : `exit status ${exit.status}`
  return {
    what: `its process ended by ${how} before there was a container to look at`,
    remedy: 'what has ended it?',
  }
}

function read<T>(folder: string, name: string): T | undefined {
  const path = join(folder, name)
  if (!existsSync(path)) return undefined
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T
  } catch (error) {
    if (error instanceof SyntaxError) return undefined // it was killed in the middle of the write
    throw error
  }
}
