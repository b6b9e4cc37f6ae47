import { clean } from '../../container/state/clean.ts'
import { inkFor } from '../../guide/present.ts'
import { dataFolder } from '../../image/data-folder.ts'
import { EXIT } from '../exit.ts'

/** Cleans, and says what went and what stays; the exit status tells whether something stays that should have gone. */
export async function printCleaned(json: boolean): Promise<void> {
  const { removed, kept, failed } = await clean(dataFolder())
  if (failed) process.exitCode = EXIT.failed
  if (json) return console.log(JSON.stringify({ removed, kept }))
  const { green, yellow, dim } = inkFor(false)
  for (const what of removed) console.log(`${green('✔')} removed ${what}`)
  for (const [why, group] of Map.groupBy(kept, ({ why }) => why)) {
    console.log(`${yellow('–')} kept: ${why}`)
    for (const { what } of group) console.log(dim(`    ${what}`))
  }
  if (removed.length === 0) console.log(kept.length ? 'nothing else to clean' : 'nothing to clean')
}
