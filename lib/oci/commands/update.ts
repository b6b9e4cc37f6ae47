import { readFileSync } from 'node:fs'
import { MinilabError } from '../../common/errors.ts'
import { parseJson } from '../../common/json.ts'
import { setLimits } from '../../container/parts/limits.ts'
import type { Call } from '../commands.ts'
import { isResources } from '../config.ts'
import { cgroupOf } from '../freeze.ts'
import { load, statusOf } from '../state.ts'

export function run({ root, flags, args: [id = ''] }: Call): void {
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
  setLimits(cgroupOf(state), limits)
}
