import { clean, type Cleaned } from '../../container/state/clean.ts'
import { inkFor } from '../../guide/printer.ts'
import { dataFolder } from '../../image/data-folder.ts'
import { EXIT } from '../exit.ts'

/** Cleans up, and says what was removed and what stays. Resolves to the exit status: whether something stays that should have gone. */
export async function printCleaned(json: boolean): Promise<number> {
  const cleaned = await clean(dataFolder())
  const { removed, kept, failed } = cleaned
  if (json) console.log(JSON.stringify({ removed, kept }))
  else print(cleaned)
  return failed ? EXIT.failed : EXIT.ok
}

function print({ removed, kept }: Cleaned): void {
  const { green, yellow, dim } = inkFor(false)
  for (const what of removed) console.log(`${green('✔')} removed ${what}`)
  for (const [why, group] of Map.groupBy(kept, ({ why }) => why)) {
    console.log(`${yellow('–')} kept: ${why}`)
    for (const { what } of group) console.log(dim(`    ${what}`))
  }
  if (removed.length === 0) console.log(kept.length ? 'nothing else to clean' : 'nothing to clean')
}
