import { step as chapter, type Stack } from '../../chapters/5-layers/step.ts'
import { overlayRefused } from '../../lib/container/parts/layers.ts'
import type { Container } from '../../lib/container/part.ts'
import type { Experiment } from '../../lib/guide/experiment.ts'
import type { PlanOptions } from '../../lib/guide/step-plan.ts'
import { changePart } from '../../lib/guide/mutant.ts'
import type { Step } from '../../lib/guide/step.ts'
import { mountinfo } from '../../lib/kernel/mount/mountinfo.ts'
import { type Diagnosis, SyscallError } from '../../lib/kernel/syscalls/syscall-error.ts'
import type { Op } from '../../lib/kernel/tape/tape.ts'
import { isKind, MinilabError, type SourceLine } from '../../lib/common/errors.ts'
import { learnersError } from '../../lib/labs/problem.ts'
import { type Asked, optionsIn, whyNotStarted } from './overlay-rules.ts'

// A container with the learner's layers part did not start: is the machine the reason, or what the part asked for?

/** What the learner's part recorded for the latest container. */
export interface Latest {
  ops: Op[]
  /** the number of its first call on the tape, from 1 */
  first: number
  container?: Container
}

/** A container did not start. `cause` leaves out the call that was refused. */
export class NotStarted extends MinilabError<'refused'> {
  override readonly cause: string

  constructor(call: string, { cause, remedy }: Diagnosis, at: SourceLine | undefined) {
    super('refused', `${call}: ${cause}`, remedy, { at })
    this.cause = cause
  }
}

/** The step that notes what its layers part records. */
export function noteCalls(step: Step<Stack>, latest: Latest): Step<Stack> {
  return changePart(step, 'layers', part => ({
    ...part,
    async prepare(container) {
      try {
        await part.prepare?.(container)
      } catch (error) {
        throw misplaced(error)
      }
    },
    inside(tape, container, gate) {
      const before = tape.ops.length
      part.inside?.(tape, container, gate)
      Object.assign(latest, { ops: tape.ops.slice(before), first: before + 1, container })
    },
  }))
}

/** If the `mkdir` of `prepare` was refused, the error says where the directory belongs. */
function misplaced(error: unknown): unknown {
  if (!isKind(error, 'refused')) return error
  const { message: what, at } = error
  const remedy = PLACES.find(([refused]) => refused.test(what))?.[1]
  return remedy === undefined ? error : learnersError({ what, ...(at && { at }), remedy })
}

const PLACES: readonly [refused: RegExp, remedy: string][] = [
  [/ENOENT.* mkdir/, '`makeFolder(container)` makes `layers.folder`: it comes first'],
  [
    /(EROFS|EACCES|EPERM).* mkdir/,
    'it belongs in `layers.folder`, which is removed with the container: upper and work must be on one file system',
  ],
]

/**
 * The error of a container that did not start, with the cause and the line of the learner's mount. A MinilabError (limited) if
 * the reference cannot mount such an overlay here either.
 */
export async function explained(
  error: unknown,
  experiment: Experiment<Stack>,
  latest: Latest,
  options: PlanOptions = {},
): Promise<unknown> {
  const failed = error instanceof Error && error.cause instanceof SyscallError ? error.cause : error
  if (!(failed instanceof SyscallError)) return error
  const { ops, first, container } = latest
  const isOnRoot = ({ call, args }: Op) => call === 'mount' && args[1] === container?.rootfs
  if ((failed.place?.number ?? 0) >= first && !ops.some(op => isOverlay(op) || isOnRoot(op)))
    return new NotStarted(failed.message, isMounted(container?.rootfs) ? MOUNTED_BEFORE : NO_MOUNT, undefined)
  const asked = askedFor(latest, failed)
  if (!asked) return error
  const limited = asked.refused && (await refusedToAll(experiment, options))
  if (limited) return limited
  const why = whyNotStarted(asked)
  return why ? new NotStarted(failed.message, why, asked.at) : error
}

/** Why the reference cannot start such a container; undefined where it can. */
async function refusedToAll(
  experiment: Experiment<Stack>,
  options: PlanOptions,
): Promise<MinilabError<'limited'> | undefined> {
  try {
    const box = await experiment.another('the same, by the reference', { ...options, parts: chapter.parts })
    await box.end()
    return undefined
  } catch (error) {
    return overlayRefused(error)
  }
}

const NO_MOUNT: Diagnosis = {
  cause: "nothing is mounted on `rootfs`, which becomes the container's root",
  remedy: 'mount the overlay there in `inside`',
}

const isMounted = (path = '') => mountinfo().some(({ target }) => target === path)

/** mount_namespaces(7): mounts that come from a more privileged mount namespace are locked, and pivot_root refuses them. */
const MOUNTED_BEFORE: Diagnosis = {
  cause:
    'the overlay was mounted on `rootfs` on the host, before the child was made: in its mount namespace that mount is locked, and cannot become the root',
  remedy: 'mount it in `inside`, where the child has its own mount namespace',
}

/** Whether this is the mount that should be the overlay. */
const isOverlay = ({ call, args }: Op) =>
  call === 'mount' && [args[2], args[4]].some(arg => /overlay|dir=/.test(String(arg)))

/** The mount that should be the overlay. Undefined if there is none, or if a call before it was refused. */
function askedFor({ ops, first, container }: Latest, failed: SyscallError): Asked | undefined {
  const at = ops.findLastIndex(isOverlay)
  const number = first + at
  const stopped = failed.place?.number ?? 0
  const mount = ops[at]
  if (!mount || !container?.layers || stopped < number) return undefined
  const [, target, type, flags, data] = mount.args
  return {
    at: mount.at,
    target: String(target),
    type: String(type),
    flags: Number(flags),
    options: optionsIn(typeof data === 'string' ? data : ''),
    rootfs: container.rootfs,
    lower: container.layers.lower,
    folder: container.layers.folder,
    refused: stopped === number ? failed.code : undefined,
  }
}
