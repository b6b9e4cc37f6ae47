import { MinilabError } from '../../common/errors.ts'
import { Connection } from '../../container/streams/connection.ts'
import { openSlave } from '../../container/streams/our-terminal.ts'
import type { Started } from '../../container/start.ts'
import { type Exit, shellStatus } from '../../kernel/process/child.ts'
import { hearSignals } from '../../kernel/process/hear-signals.ts'
import type { Call } from '../commands.ts'
import { createContainer } from '../create.ts'
import { destroy } from '../remove.ts'
import { startContainer } from '../start.ts'

export async function run(call: Call): Promise<number> {
  const {
    root,
    flags,
    args: [id = ''],
  } = call
  const detach = flags.has('detach')
  if (detach && flags.has('keep'))
    throw new MinilabError('usage', '--keep has no effect with --detach', 'leave one out')
  const { state, started } = await createContainer(call, id, { ownTerminal: !detach })
  try {
    const exit = detach ? undefined : attend(started)
    await startContainer(call, id)
    if (!exit) return 0
    const status = shellStatus(await exit)
    if (!flags.has('keep')) await destroy(root, state, call.warn)
    return status
  } catch (error) {
    started.child.kill('SIGKILL')
    await started.child.exit
    await destroy(root, state, call.warn)
    throw error
  }
}

/** Passes signals on, and carries what is typed and printed if the container's terminal stays with us. */
async function attend({ child, container }: Started): Promise<Exit> {
  const master = container.terminal?.master
  if (master === undefined) {
    using _ = hearSignals(signal => child.kill(signal))
    return await child.exit
  }
  using connection = new Connection({ interactive: true, terminal: true })
  const exit = await connection.attend(child, { master, slave: openSlave(master) })
  await connection.finish()
  return exit
}
