import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { hierarchyOf, readings } from './cgroupfs.ts'
import type { Diagnosis } from './syscall-error.ts'

/** Why a file of a cgroup is refused, as far as the cgroup tells by now: admin-guide/cgroup-v1/*.rst, cgroup-v2.rst. */
export function diagnoseCgroup(path: string, code: string, value: string): Diagnosis | undefined {
  if (code === 'EINVAL') return noNumber(path, value) ?? lessThanMemory(path)
  return code === 'ENOENT' && existsSync(dirname(path)) ? otherName(path) : undefined
}

/** What a program writes that takes a value for granted. */
function noNumber(path: string, value: string): Diagnosis | undefined {
  const [word] = /undefined|NaN|null/.exec(value) ?? []
  return word === undefined || !path.startsWith('/sys/fs/cgroup/')
    ? undefined
    : { cause: `"${word}" is no number`, remedy: 'write nothing where the specification has no number' }
}

const NONE = 2 ** 62 // bytes; v1 says more than that where there is no limit

/** The limit of memory is there, and that of memory and swap together would be less. */
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

/** A file that this cgroup does not have: it is another controller's, or the other version's. */
function otherName(path: string): Diagnosis | undefined {
  const name = basename(path)
  const reading = Object.values(readings).find(({ v1, v2 }) => v1[0] === name || v2[0] === name)
  const hierarchy = reading && hierarchyOf(reading.controller)
  if (!hierarchy) return undefined
  const { controller } = reading
  if (!path.startsWith(`${hierarchy.mount}/`))
    return {
      cause: `this directory belongs to another hierarchy: that of ${controller} is ${hierarchy.mount}`,
      remedy: `look for it in cgroup.controller('${controller}').path`,
    }
  const { version } = hierarchy
  const [right] = version === 1 ? reading.v1 : reading.v2
  if (right !== name)
    return {
      cause: `${name} is its name on v${3 - version}, and ${controller} is on v${version} here`,
      remedy: `here it is ${right}; cgroup.controller('${controller}').version tells which`,
    }
  if (!/swap|memsw/.test(name)) return undefined
  return {
    cause: 'this kernel keeps no account of swap',
    remedy: 'leave this limit out where there is no such file',
  }
}
