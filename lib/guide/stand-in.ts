import { randomBytes } from 'node:crypto'
import { cpSync, linkSync, mkdirSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { Ledger } from '../container/ledger.ts'
import type { Stand } from '../container/read-only.ts'
import { makeShelter } from '../container/shelter.ts'
import { dataFolder, makeDir } from '../image/data-folder.ts'
import { findImage } from '../image/store.ts'
import { isGone } from '../kernel/procfs.ts'
import { SOCKET, VIEWER } from './feed.ts'

/**
 * Does something with a folder that stands in for the data folder: it has a copy of the default image, so that whatever is
 * done to it is done to nobody else's. Folder and cgroup are noted in the real ledger, and nothing else has to be undone:
 * the kernel takes back the rest with the last process of the bench.
 */
export async function withStandIn<T>(task: (stand: Stand) => Promise<T>): Promise<T> {
  const { layers } = await findImage('default')
  const folder = dataFolder()
  const ledger = new Ledger(folder)
  const by = join(folder, 'containers', `bench-${randomBytes(3).toString('hex')}`)
  ledger.add({ kind: 'folder', path: by })
  try {
    makeDir(by)
    copy('images/default', folder, by)
    for (const layer of layers) copy(relative(folder, dirname(layer)), folder, by)
    linkViewers(folder, by)
    return await task({ folder, by, shelter: makeShelter(ledger) })
  } finally {
    await ledger.settle()
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
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    try {
      linkSync(join(containers, name, SOCKET), join(folder, SOCKET))
    } catch (error) {
      if (!isGone(error)) throw error // it has ended meanwhile, or does not listen yet
    }
  }
}
