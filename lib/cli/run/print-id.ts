import { constants } from 'node:os'
import { codeOf } from '../../common/error-code.ts'
import { EXIT } from '../exit.ts'

/**
 * Removes the container again if its id cannot be printed; `main` reports why, as for all output. A reader that has ended needs
 * no id.
 */
export async function printId(id: string): Promise<number> {
  const goOn = () => undefined // a listener for SIGPIPE keeps us alive if the id cannot be written: unwritable.ts
  process.on('SIGPIPE', goOn)
  try {
    const error = await new Promise<Error | null | undefined>(done => process.stdout.write(`${id}\n`, done))
    if (codeOf(error) === 'EPIPE') return 128 + constants.signals.SIGPIPE
    if (error) await (await import('../containers/remove.ts')).remove(id, true)
    return EXIT.ok // after an error unwritable.ts has set a different one
  } finally {
    process.off('SIGPIPE', goOn)
  }
}
