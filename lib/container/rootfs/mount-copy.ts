import { isAtLeast } from '../../kernel/process/kernel-version.ts'
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RDONLY,
  MS_REC,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from '../../kernel/syscalls/constants.ts'
import type { Later, Tape } from '../../kernel/tape/tape.ts'
import { mountOptions } from './mount-options.ts'
import { setAttributes } from './mount-attributes.ts'
import type { MountSpec } from '../spec.ts'

/** Detached copies of mounts. The key says what a copy is for: a mount of the spec, or the path of a device or of a file to mask. */
export type Lent = Map<MountSpec | string, Later>

/** What the calls for a mount are about, as runc says it. */
export const mounting = ({ source = '', destination }: MountSpec) =>
  `error mounting ${JSON.stringify(source)} to rootfs at ${JSON.stringify(destination)}`

/** A copy of a mount that is attached nowhere: open_tree(2). */
export function take(tape: Tape, { source = '', options }: Omit<MountSpec, 'destination'>): Later {
  const all = mountOptions(options).flags & MS_REC ? AT_RECURSIVE : 0
  return tape.open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | all)
}

/**
 * A copy once more, when its turn to be attached has come: since Linux 6.8 mountinfo lists mounts by their ids, so in the order in which
 * they were made. Before Linux 6.15 a copy that is attached nowhere cannot be copied: then it stays as it is. fs/namespace.c.
 */
export function inItsTurn(tape: Tape, copy: Later, { options }: MountSpec): Later {
  if (!isAtLeast('6.15')) return copy
  const all = mountOptions(options).flags & MS_REC ? AT_RECURSIVE : 0
  return tape.open_tree(copy, '', AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | all)
}

/** Sets the options on a copy that no process can see yet; for all mounts below it too, if the options say so. */
export function restrict(tape: Tape, copy: Later, options: MountSpec['options']): void {
  const { flags, recursive, propagation } = mountOptions(options)
  const top = flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC) & ~recursive
  if (recursive) setAttributes(tape, copy, recursive, { depth: AT_RECURSIVE })
  if (top) setAttributes(tape, copy, top)
  const depth = propagation & MS_REC ? AT_RECURSIVE : 0
  if (propagation) setAttributes(tape, copy, 0, { depth, propagation: propagation & ~MS_REC })
}

/** Attaches a copy at a path, or where a link there leads to: only where no other process can change the directories on the way. */
export function attachCopy(tape: Pick<Tape, 'move_mount'>, copy: Later, path: string, links = 0): void {
  tape.move_mount(copy, '', AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH | links)
}

/** Attaches a copy at a place that was opened before: nothing on the way can be exchanged any more. */
export function moveTo(tape: Pick<Tape, 'move_mount'>, copy: Later, place: Later): void {
  tape.move_mount(copy, '', place, '', MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH)
}
