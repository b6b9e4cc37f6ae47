import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isKind, type MinilabError } from '../../lib/common/errors.ts'
import { learnersError } from '../../lib/labs/problem.ts'
import type { Container } from '../../lib/container/part.ts'
import { readControl } from '../../lib/kernel/cgroup/control-file.ts'
import { howCalculated } from './other-causes.ts'

// What is said of a part that was refused something, or whose cgroup lets nothing run.

/** The limit of memory that a cgroup has: NaN where it has none. */
function memoryLimit({ cgroup }: Container): number {
  const { version, path } = cgroup?.controller('memory') ?? {}
  const file = join(path ?? '', version === 1 ? 'memory.limit_in_bytes' : 'memory.max')
  return path !== undefined && existsSync(file) ? Number(readControl(file)) : NaN
}

const NONE = 2 ** 62 // bytes; v1 says more than that where there is no limit
const AS_IT_IS = 'write the number of the specification as it is'

/** What the learner's code ran into, where the container's plan and its files say more of it. */
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
    remedy: `the limits of this lab are those of memory, cpu and pids${name === 'cpuset' ? '. A cpuset says which processors a process may use, and not how much of them' : ''}`,
  })
}

/** v1 refuses a limit of both that is less than the limit of memory. Where that is more than was asked for, it is to blame. */
function otherMemory(error: unknown, container: Container): unknown {
  const { limit: asked = NaN, swap = NaN } = container.spec.linux.resources?.memory ?? {}
  const limit = memoryLimit(container)
  if (!isKind(error, 'refused') || !(limit > swap && limit > asked && limit < NONE)) return error
  if (!new RegExp(`memory\\.memsw\\.limit_in_bytes", "${swap}\\s*"`).test(error.message)) return error
  const [call] = error.message.split(': ')
  return learnersError({
    what: `${call}: the limit of memory is ${limit} bytes, and ${asked} were asked for.${howCalculated(limit, asked)} So the limit of both, ${swap}, is less than that of memory alone`,
    remedy: AS_IT_IS,
  })
}

/** A cgroup with hardly any memory lets nothing run, and what fails then says no word of memory. Without a killer all waits. */
export function demandRoom(container: Container): void {
  const killer = join(container.cgroup?.controller('memory')?.path ?? '', 'memory.oom_control')
  if (existsSync(killer) && readControl(killer).includes('oom_kill_disable 1'))
    throw learnersError({
      what: 'the out-of-memory killer is switched off (1 in memory.oom_control): a program that finds no memory then waits for ever',
      remedy: 'leave it on: what does not fit must end the program',
    })
  const asked = container.spec.linux.resources?.memory?.limit ?? 0
  const limit = memoryLimit(container)
  if (!(limit <= asked / 1024)) return
  throw learnersError({
    what: `${asked} bytes of memory are asked for, and its limit is ${limit} bytes: the file takes bytes`,
    remedy: AS_IT_IS,
  })
}
