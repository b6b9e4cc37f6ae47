import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { MinilabError } from '../../common/errors.ts'
import { parseJson } from '../../common/json.ts'
import { controllersFor, setLimits } from '../../container/parts/limits.ts'
import type { ResourcesSpec } from '../../container/spec.ts'
import type { Cgroup } from '../../kernel/cgroup/cgroup.ts'
import type { Call } from '../commands.ts'
import { isResources } from '../config.ts'
import { cgroupOf } from '../freeze.ts'
import { folderOf, load, statusOf } from '../state.ts'
import { madeUnit } from '../undo-log.ts'

export async function run({ root, flags, args: [id = ''] }: Call): Promise<void> {
  const state = load(root, id)
  const path = flags.value('resources')
  if (path === undefined)
    throw new MinilabError('usage', 'no resources are given', 'update --resources FILE ID, or - for stdin')
  const resources = parseJson(readFileSync(path === '-' ? 0 : path, 'utf8'), isResources)
  if (!resources)
    throw new MinilabError(
      'usage',
      `${path} is no JSON object of resources, or a field has a wrong type`,
      'see linux.resources of a config.json',
    )
  if (statusOf(root, state) === 'stopped')
    throw new MinilabError('usage', 'container not running', 'it has stopped')
  // As runc does (update.go: SkipDevices): containerd's CRI sends all resources of the container, and the first rule of its devices
  // denies them all, those that `create` always allows too.
  const { devices: _, ...limits } = resources
  const cgroup = cgroupOf(state)
  const unit = madeUnit(join(folderOf(root, id), 'undo'))
  refuseMissing(cgroup, limits)
  if (unit !== undefined) await tellSystemd(unit, limits)
  setLimits(cgroup, limits)
}

/** A container may have been created without limits, so without controllers: what its cgroup cannot limit would be ignored. */
function refuseMissing(cgroup: Cgroup, limits: ResourcesSpec): void {
  const missing = controllersFor(limits).find(name => !cgroup.controller(name))
  if (missing === undefined) return
  throw new MinilabError(
    'limited',
    `the container's cgroup has no ${missing} controller`,
    'leave out what needs it',
  )
}

/** First, as systemd writes the files too: what they finally have is exact. */
async function tellSystemd(unit: string, limits: ResourcesSpec): Promise<void> {
  const [{ setUnitProperties, systemdsVersion }, { propertiesFor }] = await Promise.all([
    import('../systemd/manager.ts'),
    import('../systemd/properties.ts'),
  ])
  setUnitProperties(unit, propertiesFor(limits, systemdsVersion()))
}
