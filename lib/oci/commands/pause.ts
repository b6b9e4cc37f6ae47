import { MinilabError } from '../../common/errors.ts'
import type { Call } from '../commands.ts'
import { freeze } from '../freeze.ts'
import { load, statusOf } from '../state.ts'

export async function run({ root, args: [id = ''] }: Call): Promise<void> {
  const state = load(root, id)
  const status = statusOf(root, state)
  if (status !== 'running' && status !== 'created')
    throw new MinilabError('usage', 'container not running', `it is ${status}`)
  await freeze(state, true)
}
