import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { asRoot, isRoot } from './as-root.ts'
import { cached } from './cache.ts'
import type { Machine } from './machines.ts'
import { VmProblem } from './problem.ts'

const RECIPE = ['build-image.sh', 'provision.sh', 'minilab-guest.service']

/** The folder with the guest's system: image.ext4, kernel and initrd. Made once for each state of the recipe. */
export async function systemImage(machine: Machine): Promise<string> {
  const sources = debianSources()
  const recipe = RECIPE.map(name => readFileSync(join(import.meta.dirname, name)))
  return await cached(`system-${machine.arch}`, [...recipe, sources], async folder => {
    writeFileSync(join(folder, 'sources.list'), sources)
    const unknown =
      machine.arch !== process.arch && !existsSync(`/proc/sys/fs/binfmt_misc/qemu-${machine.user}`)
    const interpreter = unknown ? [machine.user] : []
    await asRoot('build-image.sh', [machine.debian, folder, ...interpreter], unknown)
  })
}

/** Where this machine has its own Debian packages from, as lines of a sources.list. */
function debianSources(): string {
  if (isRoot && indexes() === '')
    execFileSync('apt-get', ['update', '-qq'], { stdio: ['ignore', 'ignore', 'inherit'] })
  const lines = indexes().split('\n').filter(Boolean)
  if (lines.length === 0) throw new VmProblem("apt has no index of Debian's packages: sudo apt-get update")
  return [...new Set(lines)].sort().join('\n') + '\n'
}

/** apt-get(8), indextargets */
function indexes(): string {
  const format = 'deb $(REPO_URI) $(CODENAME) $(COMPONENT)'
  const args = ['indextargets', '--format', format, 'Origin: Debian', 'Created-By: Packages']
  return execFileSync('apt-get', args, { encoding: 'utf8' })
}
