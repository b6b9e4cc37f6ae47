import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { MinilabError } from '../common/errors.ts'
import { inFirstUserNamespace, isAlive, processExists, startTime } from '../kernel/process/procfs.ts'
import { dataFolder, makeDir } from './data-folder.ts'
import { codeOf } from '../common/error-code.ts'
import { fileError } from './error.ts'
import type { LayerInfo } from './layer-info.ts'
import { removeTree } from './tree.ts'

// A layer lies in <data>/layers/<first 12 hexadecimal digits of its diffId>: the tree in `diff`, its LayerInfo in
// `layer.json`. Short, because overlayfs takes all its lower directories in one option of at most a page.

/** The directory that a layer's tree is in. */
export function layerDir(diffId: string): string {
  return join(home(diffId), 'diff')
}

/**
 * The group that may search the layers beside root: that of a container's root whose ids are others than the machine's. No user
 * may take it by newgidmap(1): useradd(8) gives them subordinate ids up to SUB_GID_MAX, 600100000.
 */
export const LAYERS_GROUP = 2_100_000_000

/** What is setuid in an image must be out of reach of the host's other users. */
export function guardLayers(): void {
  const layers = join(dataFolder(), 'layers')
  const { gid } = statSync(layers)
  if (gid !== LAYERS_GROUP && process.geteuid?.() === 0 && inFirstUserNamespace())
    chownSync(layers, 0, LAYERS_GROUP)
  chmodSync(layers, 0o710)
}

/** Whether the layer is there, complete. */
export function hasLayer(diffId: string): boolean {
  return existsSync(join(home(diffId), 'layer.json'))
}

/**
 * Adds a layer: `fill` makes its tree in the directory that it is given, which does not exist yet, and tells what the
 * layer is. A layer that is there already, or that another process adds at this moment, stays as it is.
 * Throws what `fill` throws, and a MinilabError (machine) for want of room or rights.
 */
export async function addLayer(fill: (dir: string) => Promise<LayerInfo>): Promise<LayerInfo> {
  removeAbandoned()
  let partial: string | undefined
  try {
    makeDir(join(dataFolder(), 'layers'))
    guardLayers()
    partial = makeScratch()
    const layer = await fill(join(partial, 'diff'))
    writeFileSync(join(partial, 'layer.json'), JSON.stringify(layer, null, 2))
    chmodSync(partial, 0o755)
    settle(partial, layer)
    return layer
  } catch (error) {
    throw fileError('add a layer', error)
  } finally {
    if (partial) removeTree(partial)
  }
}

/** A new directory in the data folder for what is half-made; its name says whose it is. */
export function makeScratch(): string {
  const tmp = join(dataFolder(), 'tmp')
  makeDir(tmp)
  return mkdtempSync(join(tmp, `${process.pid}-${startTime('self')}-`))
}

/** Removes what killed processes left half-made in the data folder; returns the paths. */
export function removeAbandoned(): string[] {
  const tmp = join(dataFolder(), 'tmp')
  if (!existsSync(tmp)) return []
  const abandoned = readdirSync(tmp).filter(name => {
    const [pid = NaN, started = NaN] = name.split('-').map(Number)
    return Number.isNaN(started) ? !processExists(pid) : !isAlive(pid, started)
  })
  return abandoned.map(name => {
    removeTree(join(tmp, name))
    return join(tmp, name)
  })
}

function home(diffId: string): string {
  const [, digits] = /^sha256:([0-9a-f]{12})[0-9a-f]{52}$/.exec(diffId) ?? []
  if (digits === undefined)
    throw new MinilabError('usage', `"${diffId}" is not a digest`, 'give sha256: and 64 hexadecimal digits')
  return join(dataFolder(), 'layers', digits)
}

/** rename(2) puts a directory in place at once, and refuses where there is one with something in it. */
function settle(partial: string, layer: LayerInfo): void {
  const folder = home(layer.diffId)
  try {
    renameSync(partial, folder)
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '')) throw error
    if (!hasLayer(layer.diffId)) {
      // without its layer.json nothing says that it is complete: another one takes its place
      renameSync(folder, join(makeScratch(), 'damaged'))
      return settle(partial, layer)
    }
    // its name has twelve of its digits; all of them are in its file
    if (!readFileSync(join(folder, 'layer.json'), 'utf8').includes(`"${layer.diffId}"`))
      throw new MinilabError(
        'usage',
        `${folder} holds another layer, or is damaged`,
        `remove it: rm -r ${folder}`,
      )
  }
}
