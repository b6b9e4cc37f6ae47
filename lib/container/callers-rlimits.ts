import { hardLimit, rlimitNumber } from '../kernel/process/rlimits.ts'
import { RLIMIT_NOFILE } from '../kernel/syscalls/constants.ts'
import type { ProcessSpec } from './spec.ts'

type Limits = NonNullable<ProcessSpec['rlimits']>

/**
 * How many files the caller may have open. Node has raised our own soft limit to the hard one, but programs that go through all
 * descriptors, or use select(2), expect a low one. `minilab` and bin.mjs save it first; if Node was started directly, it is not known.
 */
export function callersRlimits(): Limits {
  const { MINILAB_OPEN_FILES = '' } = process.env
  if (!/^\d+$/.test(MINILAB_OPEN_FILES)) return []
  const hard = hardLimit(RLIMIT_NOFILE)
  return [{ type: 'RLIMIT_NOFILE', soft: Math.min(Number(MINILAB_OPEN_FILES), hard), hard }]
}

/** Limits as far as ours allow: in a user namespace no process can raise a hard limit, setrlimit(2). */
export const attainable = (limits: Limits): Limits =>
  limits.map(({ type, soft, hard }) => {
    const ours = hardLimit(rlimitNumber(type))
    return { type, soft: Math.min(soft, ours), hard: Math.min(hard, ours) }
  })
