import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { asRoot } from './as-root.ts'
import { cached, cacheFolder } from './cache.ts'
import type { Machine } from './machines.ts'

const checkout = join(import.meta.dirname, '../..')

/** Of what the checks use and the guest does not, and of Node all but its binary. */
const NOT_IN_GUEST = [
  './.cache',
  './.bin',
  './*typescript*',
  './@oxlint*',
  './oxlint*',
  './*oxfmt*',
  './knip',
  './@oxc-*',
  './oxc-*',
  './node-linux-*/include',
  './node-linux-*/lib',
  './node-linux-*/share',
]

/** A disk with the dependencies, for the guest's architecture. Made again when the lockfile changes. */
export async function modulesDisk({ arch }: Machine): Promise<string> {
  const lockfile = readFileSync(join(checkout, 'package-lock.json'))
  const script = readFileSync(join(import.meta.dirname, 'make-disk.sh'))
  const made = await cached(`modules-${arch}`, [lockfile, script, NOT_IN_GUEST.join()], async folder => {
    if (arch !== process.arch) {
      for (const file of ['package.json', 'package-lock.json', '.npmrc'])
        copyFileSync(join(checkout, file), join(folder, file))
      // no scripts: they would run the other architecture's programs
      const args = [
        'ci',
        '--os',
        'linux',
        '--cpu',
        arch,
        '--ignore-scripts',
        '--prefer-offline',
        '--no-audit',
        '--no-fund',
      ]
      execFileSync('npm', [...args, '--loglevel=error'], {
        cwd: folder,
        stdio: ['ignore', 'ignore', 'inherit'],
      })
    }
    const source = arch === process.arch ? checkout : folder
    const image = join(folder, 'modules.ext4')
    await asRoot('make-disk.sh', [join(source, 'node_modules'), 'modules', image, '.cache', ...NOT_IN_GUEST])
    rmSync(join(folder, 'node_modules'), { recursive: true, force: true })
  })
  return join(made, 'modules.ext4')
}

/** A disk with the working tree as it is now. Whoever makes it removes its folder. */
export async function checkoutDisk(): Promise<{ image: string; folder: string }> {
  const folder = mkdtempSync(join(cacheFolder, 'run-'))
  const image = join(folder, 'checkout.ext4')
  const not = ['./node_modules', './.git', './dist', './mine']
  await asRoot('make-disk.sh', [checkout, 'checkout', image, 'node_modules', ...not])
  return { image, folder }
}
