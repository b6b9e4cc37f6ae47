import { readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf } from '../common/error-code.ts'
import { isAlive, isGone, startTime, unlessGone } from '../kernel/process/procfs.ts'
import type { Call } from './commands.ts'
import { folderOf, type State } from './state.ts'
import { madeCgroups, madeUnit } from './undo-log.ts'

/** Takes back what was made for a container whose first process has ended: its cgroups, with all that runs in them, then its folder. */
export async function removeContainer(root: string, folder: string): Promise<void> {
  const undo = join(folder, 'undo')
  for (const { path, use } of madeCgroups(undo).toReversed()) {
    if (removedAtOnce(path) || use === 'parent') continue
    const { removeCgroup } = await import('../kernel/cgroup/cgroup.ts')
    await removeCgroup(path, 'container')
  }
  const unit = madeUnit(undo)
  // after its processes: to stop it first would give them the time that systemd gives to services
  if (unit !== undefined) (await import('./systemd/manager.ts')).stopUnit(unit)
  await removeRoot(join(folder, ROOT))
  removeFolder(root, folder)
}

/** The mount point, in a container's folder, of a root that is mounted in our own mount namespace: see mountPoint() in create.ts. */
export const ROOT = 'rootfs'

/** Nothing may be left there when the folder is removed with all that is in it: rmdir(2) refuses a mount point, and what is not empty. */
async function removeRoot(path: string): Promise<void> {
  if (removedAtOnce(path)) return
  const { now } = await import('../kernel/syscalls/now.ts')
  const { MNT_DETACH } = await import('../kernel/syscalls/constants.ts')
  now.umount2(path, MNT_DETACH)
  rmdirSync(path)
}

/** Removes a container that was recorded, and then runs its poststop hooks. */
export async function destroy(root: string, state: State, warn: Call['warn']): Promise<void> {
  await removeContainer(root, folderOf(root, state.id))
  if (!state.hooks?.poststop?.length) return
  const { tryHooks } = await import('./hooks.ts')
  tryHooks('poststop', state.hooks, state, 'stopped', warn)
}

function removedAtOnce(path: string): boolean {
  try {
    rmdirSync(path)
    return true
  } catch (error) {
    if (isGone(error)) return true
    if (['EBUSY', 'ENOTEMPTY'].includes(codeOf(error) ?? '')) return false
    throw error
  }
}

/** From the moment when it has another name, the id is free. */
function removeFolder(root: string, folder: string): void {
  const gone = join(root, `.removed-${process.pid}-${startTime('self')}`)
  if (!unlessGone(() => (renameSync(folder, gone), true))) return
  rmSync(gone, { recursive: true, force: true })
}

const REMOVED = /^\.removed-(\d+)-(\d+)$/

/** Removes folders that a killed command was just removing. */
export function sweep(root: string): void {
  for (const name of unlessGone(() => readdirSync(root)) ?? []) {
    const [, pid, started] = REMOVED.exec(name) ?? []
    if (pid && !isAlive(Number(pid), Number(started)))
      rmSync(join(root, name), { recursive: true, force: true })
  }
}
