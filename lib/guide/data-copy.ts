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

/** How containers use the image's layers: as lower layers of an overlay, or as their root. */
export type ImageUse = 'below an overlay' | 'as the root'

/** How the containers of a step use them. */
export function imageUse({ parts }: Pick<Step, 'parts'>): ImageUse {
  const has = (part: Part) => parts.some(({ name }) => name === part.name)
  return has(root) && !has(layers) ? 'as the root' : 'below an overlay'
}

/** A copy of the data folder for a sandbox, removed at the end of the scope: `await using`. */
export interface DataCopy extends AsyncDisposable {
  files: SandboxFiles
  /** the sandbox's cgroup, or why there is none */
  cgroup: SandboxCgroup | Refused
  /** lets viewers that have started to listen hear what happens in the sandbox */
  linkViewers(): void
}

/**
 * Copies the data folder, so that nothing done in the sandbox reaches the original. The default image's layers appear in it
 * read-only. If containers use the image itself as their root, it is copied too: otherwise no check could find a container that
 * writes to it. Folder and cgroup are entered in the original's ledger; the kernel removes everything else with the last
 * process of the sandbox.
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
 * Lets viewers hear what happens in the sandbox: link(2) gives their sockets a second name there. A process in the sandbox
 * gains only that its events are drawn: viewers answer nothing, and check everything that they read.
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
      if (!isGone(error)) throw error // it has ended, or does not listen yet
    }
  }
}
