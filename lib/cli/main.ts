import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const version = (): string => (JSON.parse(readFileSync(packageFile(), 'utf8')) as { version: string }).version

/** package.json lies two folders above the sources, three above the compiled files of a package. */
function packageFile(): string {
  const up = import.meta.filename.endsWith('.ts') ? '../..' : '../../..'
  return join(import.meta.dirname, up, 'package.json')
}

// looked at first: commander alone costs as much as Node's own start
if (process.argv[2] === '--version' || process.argv[2] === '-V') console.log(version())
else await (await import('./program.ts')).main(process.argv, version())
