import { existsSync } from 'node:fs'
import { MinilabError } from '../../common/errors.ts'
import type { Call } from '../commands.ts'
import { destroy, removeContainer } from '../remove.ts'
import { folderOf, isRecorded, load, type State, statusOf } from '../state.ts'

export async function run({ root, flags, args: [id = ''], warn }: Call): Promise<void> {
  const folder = folderOf(root, id)
  const force = flags.has('force')
  // as runc: to delete by force what is not there succeeds, and engines rely on that
  if (force && !existsSync(folder)) return
  if (force && !isRecorded(root, id)) return removeContainer(root, folder) // its create was killed, or its state is damaged
  const state = load(root, id)
  const status = statusOf(root, state)
  if (status === 'running' || status === 'paused') {
    if (!force)
      throw new MinilabError(
        'usage',
        `cannot delete container ${id} that is not stopped: ${status}`,
        'kill it, or use --force',
      )
  }
  if (status !== 'stopped') await end(state)
  await destroy(root, state, warn)
}

/** Kills its first process, with which all of its pid namespace end, and waits for that. */
async function end({ pid, started, cgroups }: State): Promise<void> {
  const [{ endProcess }, { thawTree }] = await Promise.all([
    import('../../kernel/process/signal.ts'),
    import('../../kernel/cgroup/cgroup.ts'),
  ])
  await endProcess(pid, started, () =>
    cgroups.forEach(({ path, version }) => version === 1 && thawTree(path)),
  )
}
