import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Not in node_modules, where `npm ci` would take it away. */
export const cacheFolder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'minilab-vm')

/** A folder that `make` fills once for each state of what it is made from; those of earlier states are removed. */
export async function cached(
  name: string,
  madeFrom: (string | Buffer)[],
  make: (folder: string) => Promise<void>,
): Promise<string> {
  mkdirSync(cacheFolder, { recursive: true })
  const hash = createHash('sha256')
  for (const part of madeFrom) hash.update(part).update('\0')
  const folder = join(cacheFolder, `${name}-${hash.digest('hex').slice(0, 12)}`)
  if (existsSync(folder)) return folder
  const began = performance.now()
  console.log(`making ${folder}`)
  const unfinished = mkdtempSync(join(cacheFolder, 'unfinished-'))
  try {
    await make(unfinished)
    const others = readdirSync(cacheFolder).filter(
      other => other.startsWith(`${name}-`) && join(cacheFolder, other) !== folder,
    )
    for (const other of others) rmSync(join(cacheFolder, other), { recursive: true, force: true })
    if (!existsSync(folder)) renameSync(unfinished, folder) // another may have made it in the meantime
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
  console.log(`made it in ${Math.round((performance.now() - began) / 1000)} s`)
  return folder
}
