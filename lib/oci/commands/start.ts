import type { Call } from '../commands.ts'
import { startContainer } from '../start.ts'

export async function run(call: Call): Promise<void> {
  await startContainer(call, call.args[0] ?? '')
}
