import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { Container, Part, Plan } from '../../lib/container/part.ts'
import type { Experiment } from '../../lib/guide/experiment.ts'
import { changeAct, changeCalls, changePart } from '../../lib/guide/mutant.ts'
import type { Step } from '../../lib/guide/step.ts'
import { findImage } from '../../lib/image/store.ts'
import { MNT_DETACH, MS_BIND, MS_REC } from '../../lib/kernel/syscalls/constants.ts'
import { mountinfo } from '../../lib/kernel/mount/mountinfo.ts'
import { now } from '../../lib/kernel/syscalls/now.ts'
import type { Tape } from '../../lib/kernel/tape/tape.ts'
import { type Stack, throughTar } from './step.ts'

// How the mutants of this chapter change the step.

type Own = Step<Stack>

/** The stages that they change, by their titles. */
export const STAGES = {
  mount: 'A stack of directories',
  delete: 'Whiteout: deleting what cannot be deleted',
  anew: 'Opaque: a recreated directory',
  two: 'Two containers on the same layers',
  tar: 'A layer is a tar',
}

/** The directory of the first container's layer. */
export const firstFolder = (experiment: Experiment<Stack>) =>
  join(experiment.ledger.dataFolder, 'containers', `${experiment.id}-0`)

/** The step with other directories for its containers. */
export function changeLayers(
  step: Own,
  change: (plan: Plan, experiment: Experiment<Stack>) => Partial<NonNullable<Plan['layers']>>,
): Own {
  return {
    ...step,
    async plan(plan, experiment) {
      await step.plan?.(plan, experiment)
      if (plan.layers) plan.layers = { ...plan.layers, ...change(plan, experiment) }
    },
  }
}

/**
 * The step whose first container makes its own /root before the second starts. overlayfs.rst, "Changes to underlying
 * filesystems": if a layer changes while it is in use, what the overlay shows is undefined.
 */
export function withRootInUpper(step: Own): Own {
  return changeAct(step, STAGES.two, async (experiment, right) => {
    await experiment.box?.shell.run('touch /root')
    await right(experiment)
  })
}

/** The step on a copy of the image, so that a mutant does not damage the shared one. */
export function onACopy(step: Own): Own {
  const copied = changeLayers(step, ({ layers }, { scene }) => ({
    lower: scene.lower.length > 0 ? [...scene.lower] : (layers?.lower ?? []),
  }))
  return changeAct(copied, STAGES.mount, async (experiment, right) => {
    const { layers } = await findImage('default')
    const folder = experiment.folder('image')
    experiment.scene.lower = layers.toReversed().map((dir, i) => copy(dir, join(folder, `layer-${i}`)))
    await right(experiment)
  })
}

/** Copies a directory with its content; `from/.` copies the content into an existing directory. */
export function copy(from: string, to: string): string {
  execFileSync('cp', ['-a', from, to])
  return to
}

/** The step that does more work on the host after a container's directories are made. */
export function afterPrepare(step: Own, more: (container: Container) => void): Own {
  return changePart(step, 'layers', right => ({
    ...right,
    async prepare(container) {
      await right.prepare?.(container)
      more(container)
    },
  }))
}

/** The step with changed mount options for the overlay. */
export function changeOptions(step: Own, change: (options: string) => string): Own {
  return changeCalls(step, 'layers', ops =>
    ops.map(op => ({ ...op, args: [...op.args.slice(0, -1), change(String(op.args.at(-1)))] })),
  )
}

/** The options with the upper directory and the topmost lower one exchanged. A backslash escapes a separator. */
export function exchange(options: string): string {
  const one = String.raw`((?:\\.|[^:,\\])+)`
  return options.replace(new RegExp(`^lowerdir=${one}(.*?),upperdir=${one}`), 'lowerdir=$3$2,upperdir=$1')
}

/** The step whose containers record other calls instead of the overlay's mount. */
export function insteadOfOverlay(step: Own, inside: NonNullable<Part['inside']>): Own {
  return changePart(step, 'layers', right => ({ ...right, inside }))
}

/** Bind-mounts the root on itself: pivot_root(2) accepts only a mount that this namespace made. mount_namespaces(7), "locked". */
export function bindOnItself(tape: Tape, { rootfs }: Container): void {
  tape.mount(rootfs, rootfs, null, MS_BIND | MS_REC, null)
}

/**
 * The step that unmounts at its end what it has mounted on the host, so that the folder can be removed; the containers keep
 * their mounts.
 */
export function unmountedAtTheEnd(step: Own): Own {
  return changeAct(step, STAGES.tar, async (experiment, right) => {
    await right(experiment)
    const ours = join(experiment.ledger.dataFolder, 'containers', experiment.id)
    for (const { target } of mountinfo()) if (target.startsWith(ours)) now.umount2(target, MNT_DETACH)
  })
}

/** The step whose last stage packs, unpacks or stacks in another way. */
export function changeTar(step: Own, changed: Parameters<typeof throughTar>[1]): Own {
  return changeAct(step, STAGES.tar, experiment => throughTar(experiment, changed))
}
