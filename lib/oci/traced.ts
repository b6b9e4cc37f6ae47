import type { Replayed } from '../kernel/tape/tape.ts'

/** A call of a tape in a line of the log, as `strace -T` prints it: with the time until the next call began. */
export const traced = ({ call, args, result, errno, ns }: Omit<Replayed, 'part'>) =>
  tracedText(`${call}(${args})`, errno ? `-1 ${errno}` : `${result ?? '?'}`, ns)

export const tracedText = (call: string, result: string, ns: number) =>
  `${call} = ${result} <${(ns / 1e9).toFixed(6)}>`
