import { MinilabError } from '../common/errors.ts'
import { Cgroup } from '../kernel/cgroup/cgroup.ts'
import { hierarchies } from '../kernel/cgroup/cgroupfs.ts'
import type { State } from './state.ts'

/** The container's cgroup, as it was recorded. */
export function cgroupOf({ cgroups }: State): Cgroup {
  const found = hierarchies()
  return new Cgroup(
    cgroups.flatMap(({ path }) => {
      const hierarchy = found.find(({ mount }) => path.startsWith(`${mount}/`))
      return hierarchy ? { hierarchy, path } : []
    }),
  )
}

/** Freezes all processes of a container, or lets them go on. */
export async function freeze(state: State, frozen: boolean): Promise<void> {
  if (state.cgroups.length === 0)
    throw new MinilabError('usage', 'the container has no cgroup', 'start it with one')
  await cgroupOf(state).freeze(frozen)
}
