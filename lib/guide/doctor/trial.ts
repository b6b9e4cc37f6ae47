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

/** What is tried in a container that runs no program: it ends as soon as its parts are done. */
interface Trial {
  /** its namespaces; all eight unless given */
  namespaceTypes?: readonly NamespaceType[]
  /** what it is made of besides its namespaces */
  parts?: readonly Part[]
  change?(plan: Plan): void
  /** calls that it makes itself, at the end */
  inside?(tape: Tape): void
  /** what is done from outside while it waits at its gate */
  attach?(pid: number): void | Promise<void>
}

/**
 * Tries something for real, by the same parts that the steps are made of. Resolves to what was refused, undefined where
 * nothing was. What is made on the host is noted in the machine's ledger.
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

/** An error of ours that says what was refused, and mostly why and what to do. */
export type Refusal = SyscallError | MinilabError

/** Does something; resolves to what was refused. */
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

/** What to do about a refusal, as far as it says so itself. */
export function remedyOf(refusal: Refusal): string | undefined {
  return refusal instanceof SyscallError ? refusal.diagnosis?.remedy : refusal.remedy
}

/** Why it was refused: the cause where that is known, else what the kernel said. */
export function reasonOf(refusal: Refusal): string {
  if (!(refusal instanceof SyscallError)) return refusal.message
  return refusal.diagnosis?.cause ?? answerOf(refusal)
}

/** What the kernel said: the call without its arguments, which are long. */
export function answerOf(refusal: Refusal): string {
  if (!(refusal instanceof SyscallError)) return refusal.message
  return `${refusal.call} fails with ${refusal.code} (${errnoMeaning(refusal.errno)})`
}
