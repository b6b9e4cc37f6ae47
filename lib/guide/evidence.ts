import { certain } from '../common/certain.ts'
import type { Evidence, Finding } from './step.ts'

/**
 * A finding from one comparison: what was read on both sides, and what to say where the claim does not hold; as a function
 * where more must be read to tell. Undefined is for a claim that holds.
 */
export function finding(
  ok: boolean,
  evidence: Evidence | Evidence[],
  diagnosis: string | undefined | (() => string),
): Finding {
  const rows = Array.isArray(evidence) ? evidence : [evidence]
  if (ok) return { ok, evidence: rows }
  return { ok, evidence: rows, diagnosis: certain(typeof diagnosis === 'function' ? diagnosis() : diagnosis) }
}

/** Something read: `seen(source, host, container)`; null for the side that was not asked. */
export function seen(
  source: string,
  host: string | number | null,
  container: string | number | null,
): Evidence {
  return {
    source,
    host: host === null ? null : String(host),
    container: container === null ? null : String(container),
  }
}

/** A claim that cannot be looked at here, with the reason. */
export function notHere(reason: string): Finding {
  return { ok: null, evidence: [], limited: reason }
}
