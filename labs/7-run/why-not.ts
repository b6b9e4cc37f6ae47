import {
  capabilityMask,
  capabilityNames,
  defaultCapabilities,
  type ProcessCapabilities,
} from '../../lib/kernel/process/capabilities.ts'
import { status } from '../../lib/kernel/process/procfs.ts'
import type { Other } from './other.ts'

/** Why another container did not get what it asked for: from its status, and from the calls that it made. */

/** A field of /proc/<pid>/status. */
export const of = (pid: number | 'self', field: string) =>
  (status(pid)[field] ?? 'none').split(/\s+/).join(' ')

/** A set of capabilities from there. */
export const maskOf = (pid: number, field: string) => BigInt(`0x${of(pid, field)}`)

/** The real, effective, saved and file system id. */
export const four = (id: number) => Array(4).fill(id).join(' ')

const FIRST_HALF = 32
const MANY = 20

/** For the bounding set, if it is not what was asked for. */
export function whyBounding(held: bigint, asked: readonly string[]): string {
  const names = capabilityNames(held)
  const besides = names.filter(name => !asked.includes(name))
  const missing = asked.filter(name => !names.some(one => one === name))
  if (besides.length > MANY && missing.length === 0)
    return 'It can gain every capability. Likeliest: prctl(PR_CAPBSET_DROP) was never called, once for each: capset does not change this set.'
  if (besides.length > 0 && held >> BigInt(FIRST_HALF) && !(capabilityMask(besides) & 0xffff_ffffn))
    return `Besides: ${besides.join(' ')}. All of them have a number above 31. Likeliest: the loop ends too early (/proc/sys/kernel/cap_last_cap has the last number), or the mask was truncated to 32 bits.`
  if (held === capabilityMask(defaultCapabilities))
    return `It has the usual ${names.length} capabilities, and this container asks for ${asked.length}: ${asked.join(' ')}. Likeliest: the list is not from \`spec.process.capabilities\`.`
  if (held === 0n)
    return `It has none, and should have ${asked.join(' ')}. Likeliest: the drops used another set than \`bounding\`.`
  return `Expected ${asked.join(' ')}. Besides: ${besides.join(' ') || 'nothing'}. Missing: ${missing.join(' ') || 'none'}.`
}

/** For the bounding set of a container that lists no capabilities. */
export const whyListed = (held: bigint) =>
  `A container that lists no capabilities has ${capabilityNames(held).length} in its bounding set: a missing list is empty, so all are dropped.`

/** For the permitted set of a container that asks for fewer capabilities in each set than in the set before. */
export function whyPermitted(held: bigint, { bounding = [], permitted = [] }: ProcessCapabilities): string {
  const expected = `Expected ${permitted.join(' ')} as permitted, and it holds ${capabilityNames(held).join(' ') || 'none'}.`
  return held === capabilityMask(bounding)
    ? `${expected} That is its bounding set. Likeliest: capset was never called, or with one list for all sets.`
    : `${expected} Likeliest: the second set of capData is not \`spec.process.capabilities.permitted\`.`
}

/** For the umask. `asked`: undefined if none was asked for. */
export function whyUmask(got: string, asked: string | undefined, usual: string): string {
  if (asked === undefined)
    return `A container that asks for no umask should keep ${usual}. Likeliest: umask is called even if \`spec.process.user.umask\` is not given.`
  if (of('self', 'Umask') === asked)
    return `Expected ${asked}, but minilab's own umask has changed. Likeliest: \`process.umask\` was called, which changes minilab and not the child. The call must be on the tape.`
  if (Number(asked) === 0)
    return `A container that asks for a umask of 0 has ${got}. Likeliest: 0 was taken for none.`
  return got === usual
    ? `Expected ${asked}, but it has the usual umask, ${usual}. Likeliest: umask was never called, or with a fixed number.`
    : `Expected ${asked}. Likeliest: umask was given another number than \`spec.process.user.umask\`.`
}

/** For the user, by the field that is wrong. */
export const whyUser: Record<'Uid' | 'Gid' | 'Groups' | 'CapPrm', (other: Other) => string> = {
  Uid({ uid, pid, tape }) {
    const [expected, got] = [`Expected user ${uid}.`, of(pid, 'Uid')]
    if (!did(tape, /^setre?s?uid$/)) return `${expected} Likeliest: setresuid was never called.`
    return new Set(got.split(' ')).size > 1
      ? `${expected} It has several: ${got} (real, effective, saved, file system). It could change back to any of them.`
      : `${expected} It is ${got.split(' ')[0]}. Likeliest: setresuid was given another id than \`spec.process.user.uid\`.`
  },

  Gid({ uid, gid, pid, tape }) {
    const [expected, got] = [`Expected group ${gid}.`, of(pid, 'Gid')]
    if (!did(tape, /^setre?s?gid$/))
      return `${expected} It is still in another group, and has the rights of that group. Likeliest: setresgid was never called with \`spec.process.user.gid\`, which root has, too.`
    if (got === four(uid))
      return `${expected} It is in ${uid}, the number of its user. Likeliest: setresgid was given the uid.`
    return `${expected} The real, the effective and the saved group are ${got.split(' ').slice(0, 3).join(' ')}. Likeliest: setresgid was given another id than \`spec.process.user.gid\`.`
  },

  Groups({ additionalGids, tape }) {
    const expected = `Expected ${additionalGids.join(' ') || 'no groups'} as its further groups.`
    const call = did(tape, /^setgroups$/)
    if (!call) return `${expected} Likeliest: setgroups was never called, and it is in our groups.`
    const [count] = call.args.split(', ')
    if (count !== String(additionalGids.length) && call.args.endsWith(`[${additionalGids.join(', ')}]`))
      return `${expected} setgroups was given a count of ${count}: the first argument is the number of groups, ${additionalGids.length}.`
    if (call.errno)
      return `${expected} setgroups was refused (${call.errno}), and a refused attempt does not end the child. Likeliest: it came after setresuid or capset, and only root may choose groups.`
    return `${expected} Likeliest: setgroups was given another list than \`spec.process.user.additionalGids\`: ${call.args}.`
  },

  CapPrm: () => 'It holds capabilities, but is not root.',
}

/** The last call of that name. */
const did = (tape: Other['tape'], name: RegExp) => tape.findLast(({ call }) => name.test(call))
