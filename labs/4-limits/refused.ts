import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isKind, type MinilabError } from '../../lib/common/errors.ts'
import { learnersError } from '../../lib/labs/problem.ts'
import type { Container } from '../../lib/container/part.ts'
import { readControl } from '../../lib/kernel/cgroup/control-file.ts'
import { howCalculated } from './other-causes.ts'

// What to say when the kernel refused a call of a part, or its cgroup lets nothing run.

/** The memory limit of a cgroup: NaN if it has none. */
function memoryLimit({ cgroup }: Container): number {
  const { version, path } = cgroup?.controller('memory') ?? {}
  const file = join(path ?? '', version === 1 ? 'memory.limit_in_bytes' : 'memory.max')
  return path !== undefined && existsSync(file) ? Number(readControl(file)) : NaN
}

const NONE = 2 ** 62 // bytes; v1 says more than that where there is no limit
const AS_IT_IS = 'write the number of the specification as it is'

/** The error that the learner's code ran into, with more about it if the container's plan and files tell more. */
export const explained = (error: unknown, container: Container) =>
  unplanned(error, container) ?? otherMemory(error, container)

/** A controller that the plan has no directory for. */
function unplanned(error: unknown, { cgroup }: Container): MinilabError<'refused'> | undefined {
  if (!isKind(error, 'refused') || !error.message.includes('undefined')) return undefined
  const [, name = ''] = /\bcontroller\(['"`](\w+)['"`]\)/.exec(error.at?.text ?? '') ?? []
  if (name === '' || !cgroup || cgroup.controller(name)) return undefined
  return learnersError({
    what: `${error.message}: planCgroup plans no directory for ${name}`,
    ...(error.at && { at: error.at }),
    remedy: `the limits of this lab are those of memory, cpu and pids${name === 'cpuset' ? '. A cpuset says which CPUs a process may use, not how much of them' : ''}`,
  })
}

/** v1 refuses a limit of both that is less than the memory limit. If the memory limit is more than was asked for, it is the cause. */
function otherMemory(error: unknown, container: Container): unknown {
  const { limit: asked = NaN, swap = NaN } = container.spec.linux.resources?.memory ?? {}
  const limit = memoryLimit(container)
  if (!isKind(error, 'refused') || !(limit > swap && limit > asked && limit < NONE)) return error
  if (!new RegExp(`memory\\.memsw\\.limit_in_bytes", "${swap}\\s*"`).test(error.message)) return error
  const [call] = error.message.split(': ')
  return learnersError({
    what: `${call}: the limit of memory is ${limit} bytes, but ${asked} were asked for.${howCalculated(limit, asked)} So the limit of both, ${swap}, is less than that of memory alone`,
    remedy: AS_IT_IS,
  })
}

/** With hardly any memory nothing runs, and the errors do not mention memory. Without the killer, everything waits. */
export function demandRoom(container: Container): void {
  const killer = join(container.cgroup?.controller('memory')?.path ?? '', 'memory.oom_control')
  if (existsSync(killer) && readControl(killer).includes('oom_kill_disable 1'))
    throw learnersError({
      what: 'the out-of-memory killer is switched off (1 in memory.oom_control): a program that gets no memory then waits forever',
      remedy: 'leave it on: what does not fit must end the program',
    })
  const asked = container.spec.linux.resources?.memory?.limit ?? 0
  const limit = memoryLimit(container)
  if (!(limit <= asked / 1024)) return
  throw learnersError({
    what: `${asked} bytes of memory are asked for, but the limit is ${limit} bytes: the file takes bytes`,
    remedy: AS_IT_IS,
  })
}
