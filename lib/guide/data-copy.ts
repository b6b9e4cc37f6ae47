import { cpSync, existsSync, linkSync, mkdirSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { layers } from '../container/parts/layers.ts'
import { Ledger } from '../container/ledger/ledger.ts'
import type { Part } from '../container/part.ts'
import type { SandboxFiles } from '../sandbox/protected-files.ts'
import { root } from '../container/parts/root.ts'
import { makeSandboxCgroup, type SandboxCgroup } from '../sandbox/cgroup.ts'
import { dataFolder, makeDir } from '../image/data-folder.ts'
import { findImage } from '../image/store.ts'
import type { Refused } from '../kernel/cgroup/make-cgroup.ts'
import { isGone } from '../kernel/process/procfs.ts'
import { SOCKET, VIEWER } from './feed.ts'
import type { Step } from './step.ts'
import { randomHex } from '../kernel/process/random.ts'

/** What containers do with the image's layers: mount an overlay on them, or have them as their root. */
export type ImageUse = 'below an overlay' | 'as the root'

/** What the containers of a step do with it. */
export function imageUse({ parts }: Pick<Step, 'parts'>): ImageUse {
  const has = (part: Part) => parts.some(({ name }) => name === part.name)
  return has(root) && !has(layers) ? 'as the root' : 'below an overlay'
}

/** A copy of the data folder for a sandbox, taken back at the end of the scope: `await using`. */
export interface DataCopy extends AsyncDisposable {
  files: SandboxFiles
  /** the sandbox's cgroup, or why there is none */
  cgroup: SandboxCgroup | Refused
  /** lets viewers that listen by now hear what is told in the sandbox */
  linkViewers(): void
}

/**
 * Makes a copy of the data folder, so that nothing that is done in the sandbox reaches the original. The default image's
 * layers are shown in it read-only. Where containers have the image itself as their root, it is copied, too: else a
 * container that writes to it would not be found out. Folder and cgroup are noted in the original's ledger; the kernel takes
 * back everything else with the last process of the sandbox.
 */
export async function makeDataCopy(use: ImageUse): Promise<DataCopy> {
  const image = await findImage('default')
  const folder = dataFolder()
  const ledger = new Ledger(folder)
  const copy = join(folder, 'containers', `sandbox-${randomHex(3)}`)
  ledger.add({ kind: 'folder', path: copy })
  try {
    makeDir(copy)
    copyInto(copy, 'images/default', folder)
    const shown = image.layers.map(layer => relative(folder, dirname(layer)))
    for (const layer of shown) {
      if (use === 'as the root') copyInto(copy, layer, folder)
      else mkdirSync(join(copy, layer), { recursive: true })
    }
    return {
      files: { folder, copy, shown: use === 'as the root' ? [] : shown },
      cgroup: makeSandboxCgroup(ledger),
      linkViewers: () => linkViewers(folder, copy),
      [Symbol.asyncDispose]: async () => void (await ledger.settle()),
    }
  } catch (error) {
    await ledger.settle()
    throw error
  }
}

function copyInto(to: string, name: string, from: string): void {
  mkdirSync(join(to, name), { recursive: true })
  cpSync(join(from, name), join(to, name), {
    recursive: true,
    verbatimSymlinks: true,
    preserveTimestamps: true,
  })
}

/**
 * Viewers hear from there as well: their sockets by another name, which link(2) gives. Nothing is won by it but to be drawn:
 * a viewer gives no answers, and takes nothing that it hears on trust.
 */
function linkViewers(from: string, to: string): void {
  const containers = join(from, 'containers')
  for (const name of readdirSync(containers).filter(name => VIEWER.test(name))) {
    const folder = join(to, 'containers', name)
    if (existsSync(join(folder, SOCKET))) continue
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    try {
      linkSync(join(containers, name, SOCKET), join(folder, SOCKET))
    } catch (error) {
      if (!isGone(error)) throw error // it has ended meanwhile, or does not listen yet
    }
  }
}
