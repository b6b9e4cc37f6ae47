import { defaultSpec, NAMESPACE_TYPES } from '../../container/default-spec.ts'
import { namespaces } from '../../container/parts/namespaces.ts'
import type { Part, Plan } from '../../container/part.ts'
import type { NamespaceType } from '../../container/spec.ts'
import { startParts } from '../../container/start.ts'
import { errnoMeaning } from '../../common/errno.ts'
import { MinilabError } from '../../common/errors.ts'
import { SyscallError } from '../../kernel/syscalls/syscall-error.ts'
import type { Tape } from '../../kernel/tape/tape.ts'
import type { Machine } from './probe.ts'

/** A container to try something with. It runs no program and ends after the calls of its parts. */
interface Trial {
  /** its namespaces; by default all eight types */
  namespaceTypes?: readonly NamespaceType[]
  /** its parts besides the namespaces */
  parts?: readonly Part[]
  change?(plan: Plan): void
  /** records further calls at the end */
  inside?(tape: Tape): void
  /** runs outside while the child waits at its gate */
  attach?(pid: number): void | Promise<void>
}

/**
 * Tries something with the same parts that the steps use. Resolves to the refusal; undefined if nothing was refused. What is
 * made on the host is entered in the machine's ledger.
 */
export async function attempt(
  { id, rootless, ledger }: Machine,
  { namespaceTypes = NAMESPACE_TYPES, parts = [], change, inside, attach }: Trial,
): Promise<Refusal | undefined> {
  const spec = defaultSpec('/', [], rootless)
  spec.linux.namespaces = namespaceTypes.map(type => ({ type }))
  spec.linux.cgroupsPath = `/minilab/${id}`
  const plan: Plan = { id, spec, rootfs: '/', ledger, diesWithUs: true }
  change?.(plan)
  const end: Part = {
    name: 'end',
    attach: (_, pid) => attach?.(pid),
    inside(tape) {
      inside?.(tape)
      tape.exit_group(0)
    },
  }
  return refusalOf(async () => {
    const { child } = await startParts([namespaces, ...parts, end], plan)
    await child.exit
  })
}

/** An expected error: what was refused and, usually, why and what to do. */
export type Refusal = SyscallError | MinilabError

/** Runs a function; resolves to its refusal, undefined if there was none. */
export async function refusalOf(act: () => void | Promise<void>): Promise<Refusal | undefined> {
  try {
    await act()
    return undefined
  } catch (error) {
    if (isRefusal(error)) return error
    throw error
  }
}

export function isRefusal(error: unknown): error is Refusal {
  return error instanceof SyscallError || error instanceof MinilabError
}

/** What to do about a refusal, if the error itself says so. */
export function remedyOf(refusal: Refusal): string | undefined {
  return refusal instanceof SyscallError ? refusal.diagnosis?.remedy : refusal.remedy
}

/** Why it was refused: the cause if it is known, else the kernel's answer. */
export function reasonOf(refusal: Refusal): string {
  if (!(refusal instanceof SyscallError)) return refusal.message
  return refusal.diagnosis?.cause ?? answerOf(refusal)
}

/** The kernel's answer: the call without its arguments, which are long, and the error. */
export function answerOf(refusal: Refusal): string {
  if (!(refusal instanceof SyscallError)) return refusal.message
  return `${refusal.call} fails with ${refusal.code} (${errnoMeaning(refusal.errno)})`
}
