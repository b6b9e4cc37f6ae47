import { existsSync, lstatSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { ownFolder } from '../common/own-folder.ts'
import { writeOwned } from './file-owner.ts'

const OURS = '# Made by `minilab init`'

/**
 * The `./minilab` of a workspace, which runs the minilab that the workspace belongs to from any folder. Another file of that
 * name is left unchanged.
 */
export function script(folder: string): { name: string; isThere(): boolean; make(): void } {
  const path = join(folder, 'minilab')
  const text = scriptFor(folder)
  return {
    name: 'minilab',
    isThere() {
      const stat = lstatSync(path, { throwIfNoEntry: false })
      if (!stat?.isFile()) return stat !== undefined
      const there = readFileSync(path, 'utf8')
      return there === text || !there.includes(OURS)
    },
    make: () => writeOwned(path, text, 0o755),
  }
}

function scriptFor(folder: string): string {
  const launcher = join(ownFolder, 'minilab')
  const target = existsSync(launcher) ? launcher : join(ownFolder, 'bin.mjs') // the npm package has only this
  // relative inside a checkout, so that both can be moved together
  const found = `${folder}/`.startsWith(`${ownFolder}/`)
    ? `"$here"/${quoted(relative(folder, target))}`
    : quoted(target)
  return `#!/bin/sh
${OURS}: runs the minilab that this workspace belongs to.
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
minilab=${found}
[ -x "$minilab" ] || { echo "minilab: $minilab is gone: install minilab again, and then: minilab init $here" >&2; exit 3; }
export MINILAB_CALLED="$0" MINILAB_WORKSPACE="\${MINILAB_WORKSPACE:-$here}"
exec "$minilab" "$@"
`
}

/** A text quoted as one word for a shell. */
const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`
