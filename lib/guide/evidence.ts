import { certain } from '../common/certain.ts'
import type { Evidence, Finding } from './step.ts'

/**
 * A finding from one comparison: what was read on both sides, and the diagnosis if the claim is false; a function if the
 * diagnosis needs more reading. Undefined if the claim is true.
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

/** Evidence: `seen(source, host, container)`; null for a side that was not read. */
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

/** The finding for a claim that cannot be checked here, with the reason. */
export function notHere(reason: string): Finding {
  return { ok: null, evidence: [], limited: reason }
}
