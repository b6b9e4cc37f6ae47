import { RLIMIT_NOFILE } from '../kernel/syscalls/constants.ts'
import { now } from '../kernel/syscalls/now.ts'
import type { ProcessSpec } from './spec.ts'

/**
 * How many files the caller may have open: Node has raised our own soft limit to the hard one, and programs that go through all
 * descriptors, or use select(2), expect a low one. `minilab` and bin.mjs note it before; nothing where Node was started directly.
 */
export function callersRlimits(): NonNullable<ProcessSpec['rlimits']> {
  const { MINILAB_OPEN_FILES = '' } = process.env
  if (!/^\d+$/.test(MINILAB_OPEN_FILES)) return []
  const limit = new BigUint64Array(2) // struct rlimit: rlim_cur, rlim_max
  now.prlimit64(0, RLIMIT_NOFILE, null, new Uint8Array(limit.buffer))
  const hard = Number(limit[1])
  return [{ type: 'RLIMIT_NOFILE', soft: Math.min(Number(MINILAB_OPEN_FILES), hard), hard }]
}
