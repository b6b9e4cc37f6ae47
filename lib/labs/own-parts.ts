import { existsSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { isPart, type Part } from '../container/part.ts'
import { dieWithUs } from '../container/parts/process.ts'
import { volumesAround } from '../container/parts/root.ts'
import { streams } from '../container/streams/streams.ts'
import { terminal } from '../container/parts/terminal.ts'
import { MinilabError } from '../common/errors.ts'
import { learnersError } from './problem.ts'
import { SyscallError } from '../kernel/syscalls/syscall-error.ts'
import { untilConnected } from './cable.ts'
import type { Exercise } from './exercise.ts'
import { fileOf, findWorkspace, type Workspace } from './workspace.ts'
import { loadExported } from './learners-code.ts'

/** The parts that the learner lists in the last lab's file, with those of ours that no lab asks for: for `run --mine`. */
export async function ownParts(last: Exercise): Promise<readonly Part[]> {
  return withOurs(await listedParts(ownWorkspace(), last))
}

/**
 * The parts that the learner lists in the last lab's file, to run for real. Throws a usage error if there is no such file, a
 * MinilabError (refused) with the line if it cannot be used.
 */
export async function listedParts(workspace: Workspace, last: Exercise): Promise<readonly Part[]> {
  const file = fileOf(workspace, last)
  if (!existsSync(file))
    throw new MinilabError(
      'usage',
      `${file} is missing, which lists your parts`,
      `minilab lab ${last.number} makes it`,
    )
  const { parts } = await loadExported(workspace.folder, last)
  if (Array.isArray(parts) && parts.length > 0) return (parts as Part[]).map(inTime)
  throw new MinilabError('usage', `\`parts\` in ${basename(file)} is empty`, `minilab lab ${last.number}`)
}

/** The learner's workspace. Throws a usage error if there is none. */
export function ownWorkspace(): Workspace {
  const workspace = findWorkspace()
  if (workspace) return workspace
  throw new MinilabError(
    'usage',
    'there is no workspace here or above, so no parts of yours',
    'minilab init DIR makes one: go there then',
  )
}

/** How long a hook of a part may wait for something. */
const HOOK_TIMEOUT = 10_000 // ms

/** The part; a hook that waits too long throws an error. */
function inTime(part: Part): Part {
  const bounded = { ...part }
  for (const hook of ['prepare', 'attach'] as const) {
    const run = part[hook] as ((...args: unknown[]) => void | Promise<void>) | undefined
    if (!run) continue
    bounded[hook] = async (...args: unknown[]) => {
      const late = Promise.withResolvers<never>()
      const timer = setTimeout(() => {
        const what = `${hook} of ${part.name} has not come to an end after ${HOOK_TIMEOUT / 1000} s`
        late.reject(learnersError({ what, remedy: 'what does it wait for, that never comes?' }))
      }, HOOK_TIMEOUT)
      try {
        await Promise.race([run(...args), late.promise])
      } finally {
        clearTimeout(timer)
      }
    }
  }
  return bounded
}

/** Inserts our parts that no lab asks for between the learner's: volumes, a terminal, standard streams, ending with us. */
function withOurs(parts: readonly Part[]): Part[] {
  const [lendVolumes, placeVolumes] = volumesAround()
  const life: Part = {
    name: 'process',
    inside: (tape, { diesWithUs }, gate) => diesWithUs && dieWithUs(tape, gate),
  }
  const before: Record<string, Part[]> = { root: [lendVolumes], process: [life] }
  const after: Record<string, Part[]> = { root: [placeVolumes, terminal, streams] }
  return parts.flatMap(part => [
    ...(before[part.name] ?? []),
    isPart(part, 'network') ? untilConnected(part) : part,
    ...(after[part.name] ?? []),
  ])
}

/** Does something with the learner's parts. If one of their calls is refused, the error names its line. */
export async function namingLines<T>(run: () => T | Promise<T>): Promise<T> {
  const root = ownRoot()
  try {
    return await run()
  } catch (error) {
    throw root === ownRoot() ? withLine(error) : rootLost()
  }
}

/** Identifies the directory that is our root: a part that pivots without a mount namespace for the container would change it. */
function ownRoot(): string {
  const { dev, ino } = statSync('/')
  return `${dev}:${ino}`
}

/** The error after our root was changed: then no file of ours can be found. */
const rootLost = () =>
  learnersError({
    what: "your parts have changed the root directory of minilab itself, and not only the container's",
    remedy: 'the namespaces part needs CLONE_NEWNS: minilab check 2',
  })

/** The error with the line of the learner's code that made the refused call. */
function withLine(error: unknown): unknown {
  if (!(error instanceof SyscallError) || !error.place?.at) return error
  const { message, diagnosis, place } = error
  return learnersError({
    what: [message, diagnosis?.cause].filter(Boolean).join(': '),
    at: place.at,
    remedy: diagnosis?.remedy ?? 'minilab check tells more',
  })
}
