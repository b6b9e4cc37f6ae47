import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { codeFolder } from '../common/own-folder.ts'

/** Where a symbol is defined: `lib/container/parts/root.ts:42`; only the file in a package, which has no sources. */
export function sourceLine({ file, symbol }: { file: string; symbol: string }): string {
  const path = join(codeFolder, file)
  if (!existsSync(path)) return file
  const defined = new RegExp(`^\\s*(export )?(async )?(const|function|class|interface) ${symbol}\\b`)
  const line = readFileSync(path, 'utf8')
    .split('\n')
    .findIndex(text => defined.test(text))
  if (line === -1) throw new Error(`${file} defines no ${symbol}`)
  return `${file}:${line + 1}`
}
