import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { hierarchyOf, readings } from './cgroupfs.ts'
import { schedulingPolicy, unlessGone } from '../process/procfs.ts'
import type { Diagnosis } from '../syscalls/syscall-error.ts'

/** Why a write to a cgroup file is refused, as far as the cgroup's state tells: admin-guide/cgroup-v1/*.rst, cgroup-v2.rst. */
export function diagnoseCgroup(path: string, code: string, value: string): Diagnosis | undefined {
  if (code === 'EINVAL')
    return noNumber(path, value) ?? otherFile(path) ?? lessThanMemory(path) ?? realTime(path, value)
  if (code === 'EACCES') return otherFile(path) // no process may write such a file, but root may open it
  if (code !== 'ENOENT') return undefined
  return existsSync(dirname(path)) ? otherName(path) : notMade(path)
}

const isOfCgroup = (path: string) => path.startsWith('/sys/fs/cgroup/')

/** The directory itself does not exist. */
function notMade(path: string): Diagnosis | undefined {
  if (!isOfCgroup(path)) return undefined
  return {
    cause: 'there is no such cgroup: its directory was not made',
    remedy: 'make the directory before you write to its files; on v1 there is one for each hierarchy',
  }
}

/** A file that is mistaken for the one that takes the limit. */
function otherFile(path: string): Diagnosis | undefined {
  const name = basename(path)
  if (!isOfCgroup(path)) return undefined
  if (/\.(current|usage_in_bytes|events|stat)$/.test(name))
    return {
      cause: `${name} reports the current state, and cannot be written`,
      remedy: 'a limit has its own file',
    }
  if (name.startsWith('cpu.rt_'))
    return {
      cause: `${name} limits only real-time processes, sched(7)`,
      remedy: 'the quota for all others is in cpu.cfs_quota_us',
    }
  return undefined
}

/** What a program writes if it takes a value for granted, or has calculated with it. */
function noNumber(path: string, value: string): Diagnosis | undefined {
  if (!isOfCgroup(path)) return undefined
  const [word] = /undefined|NaN|null/.exec(value) ?? []
  if (word !== undefined)
    return {
      cause: `"${word}" is not a number`,
      remedy: 'write nothing where the specification has no number',
    }
  const [fraction] = /\d+\.\d+/.exec(value) ?? []
  return fraction === undefined
    ? undefined
    : { cause: `${fraction} is not a whole number`, remedy: 'write the number of the specification as it is' }
}

const REAL_TIME = [1, 2] // SCHED_FIFO, SCHED_RR

/** sched_rt_can_attach() of kernel/sched/rt.c: a real-time process may join a cpu cgroup only if that has real-time CPU time. */
function realTime(path: string, value: string): Diagnosis | undefined {
  const isJoining = isOfCgroup(path) && basename(path) === 'cgroup.procs' && /^\d+$/.test(value)
  if (!isJoining || !REAL_TIME.includes(unlessGone(() => schedulingPolicy(Number(value) || 'self')) ?? 0))
    return undefined
  return {
    cause: 'a real-time process cannot enter a cgroup of the cpu controller without cpu.rt_runtime_us',
    remedy: 'start it as a normal process: chrt -o 0 minilab …',
  }
}

const NONE = 2 ** 62 // bytes; v1 shows more than this if there is no limit

/** There is a limit of memory, and the limit of memory plus swap would be lower. */
function lessThanMemory(path: string): Diagnosis | undefined {
  const memory = join(dirname(path), 'memory.limit_in_bytes')
  if (basename(path) !== 'memory.memsw.limit_in_bytes' || !existsSync(memory)) return undefined
  const limit = Number(readFileSync(memory, 'utf8'))
  if (limit > NONE) return undefined
  return {
    cause: `v1 counts memory and swap together, and that cannot be less than the limit of memory alone, ${limit} bytes`,
    remedy: 'write the sum of both: in the specification, swap is that sum already',
  }
}

/** A file that this cgroup does not have: it belongs to another controller, or to the other cgroup version. */
function otherName(path: string): Diagnosis | undefined {
  const name = basename(path)
  const reading = Object.values(readings).find(({ v1, v2 }) => v1[0] === name || v2[0] === name)
  const hierarchy = reading && hierarchyOf(reading.controller)
  if (!hierarchy) return undefined
  const { controller } = reading
  if (!path.startsWith(`${hierarchy.mount}/`))
    return {
      cause: `this directory is in the wrong hierarchy: the one for ${controller} is ${hierarchy.mount}`,
      remedy: `look for it in cgroup.controller('${controller}').path`,
    }
  const { version } = hierarchy
  const [shown] = version === 1 ? reading.v1 : reading.v2
  // the file that is read only shows what was written to the other one
  const right = shown === 'freezer.self_freezing' ? 'freezer.state' : shown
  if (right !== name)
    return {
      cause: `${name} is the name on v${3 - version}, but ${controller} is on v${version} here`,
      remedy: `use ${right}; cgroup.controller('${controller}').version is the version`,
    }
  if (!/swap|memsw/.test(name)) return undefined
  return {
    cause: 'this kernel does not count swap',
    remedy: 'leave this limit out where there is no such file',
  }
}
