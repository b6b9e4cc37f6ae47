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

/** A container of a step: a shell that does what it is told. */
export interface Box {
  container: Container
  pid: number
  shell: PipedShell
  /** ours only: the child, which can be waited for */
  child: Child | undefined
  tape: Replayed[]
  clone: Replayed | undefined
  end(): Promise<void>
}

/** A container that was started, without the shell that it is asked by; `remove` takes away what stays after its program. */
type Started = Omit<Box, 'shell' | 'end'> & { remove(): Promise<void> }

/** Starts a container of these parts; what they do on the host is told. */
export async function startOurs(plan: Plan, parts: readonly Part[], tell: (work: HostWork) => void) {
  const { container, child, tape, clone } = await startParts(timed(parts, tell), plan)
  return { container, pid: child.pid, child, tape, clone, remove: async () => void (await child.exit) }
}

/** Has another runtime start a container. */
export async function startTheirs(plan: Plan, runtime: string): Promise<Started> {
  const foreign = await startForeign(runtime, plan, join(dataFolder(), 'containers'))
  return { ...foreign, container: nothingMade(plan), child: undefined, tape: [], clone: undefined }
}

/** Ends a container that was started. */
export async function endStarted({ pid, child, container, remove }: Started): Promise<void> {
  child?.kill('SIGKILL')
  if (container.cgroup) thaw(pid) // it may be frozen, and then it would not die
  await remove()
}
