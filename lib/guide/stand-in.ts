import { randomBytes } from 'node:crypto'
import { cpSync, existsSync, linkSync, mkdirSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { layers } from '../container/parts/layers.ts'
import { Ledger } from '../container/ledger/ledger.ts'
import type { Part } from '../container/part.ts'
import type { Stand } from '../sandbox/read-only.ts'
import { root } from '../container/parts/root.ts'
import { makeShelter } from '../sandbox/shelter.ts'
import { dataFolder, makeDir } from '../image/data-folder.ts'
import { findImage } from '../image/store.ts'
import { isGone } from '../kernel/process/procfs.ts'
import { SOCKET, VIEWER } from './feed.ts'
import type { Step } from './step.ts'

/** What containers do with the image's layers: nothing but lie on them with an overlay, or stand on them themselves. */
export type ImageUse = 'below an overlay' | 'as the root'

/** What the containers of a step do with it. */
export function imageUse({ parts }: Pick<Step, 'parts'>): ImageUse {
  const has = (part: Part) => parts.some(({ name }) => name === part.name)
  return has(root) && !has(layers) ? 'as the root' : 'below an overlay'
}

/** A stand, taken back at the end of the scope: `await using`. */
export interface StandIn extends Stand, AsyncDisposable {
  /** lets viewers that listen by now hear what is told at the stand */
  linkViewers(): void
}

/**
 * Makes a folder that stands in for the data folder, so that whatever is done to it is done to nobody else's. The default
 * image's layers are shown in it read-only; where containers stand on the image itself, it has a copy, or nobody could see
 * that one of them writes to it. Folder and cgroup are noted in the real ledger, and nothing else has to be undone: the
 * kernel takes back the rest with the last process of the bench.
 */
export async function makeStandIn(use: ImageUse): Promise<StandIn> {
  const image = await findImage('default')
  const folder = dataFolder()
  const ledger = new Ledger(folder)
  const by = join(folder, 'containers', `bench-${randomBytes(3).toString('hex')}`)
  ledger.add({ kind: 'folder', path: by })
  try {
    makeDir(by)
    copy('images/default', folder, by)
    const shown = image.layers.map(layer => relative(folder, dirname(layer)))
    for (const layer of shown) {
      if (use === 'as the root') copy(layer, folder, by)
      else mkdirSync(join(by, layer), { recursive: true })
    }
    return {
      folder,
      by,
      shown: use === 'as the root' ? [] : shown,
      shelter: makeShelter(ledger),
      linkViewers: () => linkViewers(folder, by),
      [Symbol.asyncDispose]: async () => void (await ledger.settle()),
    }
  } catch (error) {
    await ledger.settle()
    throw error
  }
}

function copy(name: string, from: string, to: string): void {
  mkdirSync(join(to, name), { recursive: true })
  cpSync(join(from, name), join(to, name), {
    recursive: true,
    verbatimSymlinks: true,
    preserveTimestamps: true,
  })
}

/**
 * Viewers hear from there as well: their sockets by another name, which link(2) gives. Nothing is won by it but to be drawn:
 * a viewer answers nobody, and takes nothing that it hears on trust.
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
