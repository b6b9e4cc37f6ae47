// Why a container has other limits than it asks for, as far as the numbers tell.

const MIB = 2 ** 20
const PAGE = 4096

/** How a wrong memory limit was calculated; '' if the numbers do not tell. */
export function howCalculated(limit: number, asked: number): string {
  if (!(asked > MIB)) return '' // no bytes
  const off = Math.abs(limit - asked)
  const decimal = Math.round(asked / MIB) * 1e6
  if (limit === decimal - (decimal % PAGE))
    return ' It was calculated with 1000000 bytes for a MiB, which has 1048576.'
  if (limit % MIB === 0 && off <= MIB)
    return ' It was rounded to a whole number of MiB: the file takes bytes.'
  if (off > 0 && off <= PAGE)
    return ' It was rounded to a whole number of pages: the kernel does that itself.'
  return ''
}

/** What another container asks for, in words, and what its cgroup has. */
export interface Asked {
  wanted: string
  value: string
  /** of the CPU, in microseconds, with the period that its cgroup has: that is there even without a quota */
  cpu?: { quota: number; period: number; isPeriodGiven: boolean; found: number }
}

const TAKEN = 'write the number of spec.linux.resources as it is'
const UNASKED = 'what is not in spec.linux.resources is not limited'

/** Why its cgroup has another limit than it asks for. */
export function whyOther({ wanted, value, cpu }: Asked): string {
  const begin = `Another container asks for ${cpu ? inWords(cpu) : wanted}, but its cgroup has ${value}`
  if (/^no /.test(wanted) || (value.includes('swap') && !wanted.includes('swap')))
    return `${begin}: ${UNASKED}.`
  if (!cpu) return `${begin}: ${TAKEN}.${howCalculated(parseInt(value), parseInt(wanted))}`
  if (value.startsWith('no '))
    return `${begin}: ${cpu.isPeriodGiven && cpu.found === cpu.period ? 'only the period was written, which limits nothing by itself' : 'no quota was written'}.`
  return value.startsWith(`${cpu.quota} `) && cpu.isPeriodGiven
    ? `${begin}: the quota is the one that it asks for, the period is not.`
    : `${begin}: ${TAKEN}.`
}

const inWords = ({ quota, period, isPeriodGiven }: NonNullable<Asked['cpu']>) =>
  isPeriodGiven
    ? `a quota of ${quota} and a period of ${period}`
    : `a quota of ${quota} and for no period (the kernel's own is ${period})`
