import { existsSync, lstatSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { ownFolder } from '../common/own-folder.ts'
import { writeOwned } from './file-owner.ts'

const OURS = '# Made by `minilab init`'

/**
 * The scripts of a workspace: `./minilab` runs the minilab that it belongs to, and `./minilab-oci` the runtime that makes containers from
 * its parts, for engines; from wherever they are called. Another file of that name is left as it is.
 */
export const scripts = (folder: string) => [
  script(folder, 'minilab', minilab(folder)),
  script(folder, 'minilab-oci', runtime(folder)),
]

function script(folder: string, name: string, text: string) {
  const path = join(folder, name)
  return {
    name,
    isThere() {
      const stat = lstatSync(path, { throwIfNoEntry: false })
      if (!stat?.isFile()) return stat !== undefined
      const there = readFileSync(path, 'utf8')
      return there === text || !there.includes(OURS)
    },
    make: () => writeOwned(path, text, 0o755),
  }
}

function minilab(folder: string): string {
  const launcher = join(ownFolder, 'minilab')
  const target = existsSync(launcher) ? launcher : join(ownFolder, 'bin.mjs') // the npm package has only this
  return `#!/bin/sh
${OURS}: runs the minilab that this workspace belongs to.
${whereIs('minilab', folder, target)}
export MINILAB_CALLED="$0" MINILAB_WORKSPACE="\${MINILAB_WORKSPACE:-$here}"
exec "$minilab" "$@"
`
}

function runtime(folder: string): string {
  return `#!/bin/sh
${OURS}: the OCI runtime that makes containers from your parts, once all labs are passed.
# Register it with Docker or Podman; they start it as root, and so your code: \`minilab book 7\`, "Let Docker run your container".
${whereIs('runtime', folder, join(ownFolder, 'minilab-oci'))}
exec "$runtime" --mine --workspace "$here" "$@"
`
}

/** Shell code that sets `here`, and a variable to the path of a program of ours, if that is still there. */
function whereIs(variable: string, folder: string, target: string): string {
  // relative within a checkout, so that both can be moved together
  const found = `${folder}/`.startsWith(`${ownFolder}/`)
    ? `"$here"/${quoted(relative(folder, target))}`
    : quoted(target)
  return `here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
${variable}=${found}
[ -x "$${variable}" ] || { echo "minilab: $${variable} is gone: install minilab again, and then: minilab init $here" >&2; exit 3; }`
}

/** A text quoted as one word for a shell. */
const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`
