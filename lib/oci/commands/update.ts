import { readFileSync } from 'node:fs'
import { MinilabError } from '../../common/errors.ts'
import { parseJson } from '../../common/json.ts'
import type { Shape } from '../../common/shape.ts'
import { setLimits } from '../../container/parts/limits.ts'
import type { ResourcesSpec } from '../../container/spec.ts'
import type { Call } from '../commands.ts'
import { cgroupOf } from '../freeze.ts'
import { load, statusOf } from '../state.ts'

const isObject = ((value: unknown) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)) as Shape<ResourcesSpec>

export function run({ root, flags, args: [id = ''] }: Call): void {
  const state = load(root, id)
  const path = flags.value('resources')
  if (path === undefined)
    throw new MinilabError('usage', 'no resources are given', 'update --resources FILE ID, or - for stdin')
  const resources = parseJson(readFileSync(path === '-' ? 0 : path, 'utf8'), isObject)
  if (!resources)
    throw new MinilabError(
      'usage',
      `${path} is no JSON object of resources`,
      'see linux.resources of a config.json',
    )
  if (statusOf(root, state) === 'stopped')
    throw new MinilabError('usage', 'container not running', 'it has stopped')
  setLimits(cgroupOf(state), resources)
}
