import type { Spec } from '../../lib/container/spec.ts'
import { defaultProfile } from '../../lib/container/seccomp/seccomp-default.ts'

export const MEMORY = 64 * 1024 * 1024

/** What this chapter adds to the default spec. */
export function spec(spec: Spec): void {
  const { effective = [] } = spec.process.capabilities ?? {}
  spec.linux.resources = { memory: { limit: MEMORY, swap: MEMORY } }
  spec.linux.seccomp = defaultProfile(effective)
}
