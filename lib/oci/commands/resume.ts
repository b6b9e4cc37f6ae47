import { MinilabError } from '../../common/errors.ts'
import type { Call } from '../commands.ts'
import { freeze } from '../freeze.ts'
import { load, statusOf } from '../state.ts'

export async function run({ root, args: [id = ''] }: Call): Promise<void> {
  const state = load(root, id)
  if (statusOf(root, state) !== 'paused')
    throw new MinilabError('usage', 'container not paused', 'pause it first')
  await freeze(state, false)
}
