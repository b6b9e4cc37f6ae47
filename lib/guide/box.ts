import { join } from 'node:path'
import type { Container, Part, Plan } from '../container/part.ts'
import { nothingMade, startParts } from '../container/start.ts'
import { dataFolder } from '../image/data-folder.ts'
import { thaw } from '../kernel/cgroup/cgroup.ts'
import type { Child } from '../kernel/process/child.ts'
import type { Replayed } from '../kernel/tape/tape.ts'
import { startForeign } from './runtime.ts'
import type { PipedShell } from './shell.ts'
import { type HostWork, timed } from './timeline.ts'

/** A container of a step, which runs a shell that takes our commands. */
export interface Box {
  container: Container
  pid: number
  shell: PipedShell
  /** the child, to wait for; undefined in a container that another runtime started */
  child: Child | undefined
  tape: Replayed[]
  clone: Replayed | undefined
  end(): Promise<void>
}

/** A started container, without the shell; `remove` removes what remains after its program has ended. */
type Started = Omit<Box, 'shell' | 'end'> & { remove(): Promise<void> }

/** Starts a container with these parts; reports to `tell` what they do on the host. */
export async function startOurs(plan: Plan, parts: readonly Part[], tell: (work: HostWork) => void) {
  const { container, child, tape, clone } = await startParts(timed(parts, tell), plan)
  return { container, pid: child.pid, child, tape, clone, remove: async () => void (await child.exit) }
}

/** Has another runtime start a container; of the parts, those work that are an engine's. */
export async function startTheirs(plan: Plan, parts: readonly Part[], runtime: string): Promise<Started> {
  const container = nothingMade(plan)
  const foreign = await startForeign(runtime, container, parts, join(dataFolder(), 'containers'))
  return { ...foreign, container, child: undefined, tape: [], clone: undefined }
}

/** Ends a started container, and removes what remains. */
export async function endStarted({ pid, child, container, remove }: Started): Promise<void> {
  child?.kill('SIGKILL')
  if (container.cgroup) thaw(pid) // in v1 a frozen process does not die of SIGKILL
  await remove()
}
