import { EXIT } from '../exit.ts'
import { reportError } from '../report-error.ts'

/** Does something for each. A failure is reported and does not stop the rest. Resolves to the exit status of the last failure. */
export async function each(
  containers: readonly string[],
  act: (word: string) => void | Promise<void>,
): Promise<number> {
  let status: number = EXIT.ok
  for (const word of containers)
    try {
      await act(word)
    } catch (error) {
      status = reportError(error)
    }
  return status
}
