import { EXIT } from '../exit.ts'
import { reportError } from '../report-error.ts'

/** Does it for each; what fails is said, and keeps the others from nothing. Resolves to the exit status of the last that failed. */
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
