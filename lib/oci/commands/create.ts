import type { Call } from '../commands.ts'
import { createContainer } from '../create.ts'

export async function run(call: Call): Promise<void> {
  const [id = ''] = call.args
  const { state } = await createContainer(call, id)
  call.debug(`created ${id}: process ${state.pid}`)
}
