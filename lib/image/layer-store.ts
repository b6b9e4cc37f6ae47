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
import { isMachinesRoot, isAlive, processExists, startTime } from '../kernel/process/procfs.ts'
import { dataFolder, makeDir } from './data-folder.ts'
import { codeOf } from '../common/error-code.ts'
import { fileError } from './error.ts'
import type { LayerInfo } from './layer-info.ts'
import { removeTree } from './tree.ts'

// A layer is stored in <data>/layers/<first 12 hexadecimal digits of its diffId>: its tree in `diff`, its LayerInfo in
// `layer.json`. The name is short because overlayfs takes all lower directories in one mount option of at most a page

/** The directory of a layer's tree. */
export function layerDir(diffId: string): string {
  return join(home(diffId), 'diff')
}

/**
 * The group that may search the layers, besides root. A container's root belongs to it when its ids are not the machine's. No
 * user can be given it with newgidmap(1): useradd(8) gives subordinate ids only up to SUB_GID_MAX, 600100000.
 */
export const LAYERS_GROUP = 2_100_000_000

/** Makes the layers unreachable for the host's other users, because an image may contain setuid programs. */
export function guardLayers(): void {
  const layers = join(dataFolder(), 'layers')
  const { gid } = statSync(layers)
  if (gid !== LAYERS_GROUP && isMachinesRoot()) chownSync(layers, 0, LAYERS_GROUP)
  chmodSync(layers, 0o710)
}

/** Whether a layer is stored completely. */
export function hasLayer(diffId: string): boolean {
  return existsSync(join(home(diffId), 'layer.json'))
}

/**
 * Adds a layer: `fill` makes its tree in the directory that it is given, which does not exist yet, and returns the layer's
 * info. If the layer exists, or another process adds it at the same time, that one is kept. Throws what `fill` throws, and a
 * MinilabError (machine) for lack of room or rights.
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

/** Makes a directory in the data folder for unfinished work; its name contains our process id. */
export function makeScratch(): string {
  const tmp = join(dataFolder(), 'tmp')
  makeDir(tmp)
  return mkdtempSync(join(tmp, `${process.pid}-${startTime('self')}-`))
}

/** Removes unfinished work of killed processes from the data folder; returns the removed paths. */
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

/** Moves a finished layer into place: rename(2) does so in one step, and fails if a directory that is not empty is there. */
function settle(partial: string, layer: LayerInfo): void {
  const folder = home(layer.diffId)
  try {
    renameSync(partial, folder)
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '')) throw error
    if (!hasLayer(layer.diffId)) {
      // a layer without layer.json is incomplete: move it away, and use ours
      renameSync(folder, join(makeScratch(), 'damaged'))
      return settle(partial, layer)
    }
    // the folder's name has only twelve digits of the digest; its file has all
    if (!readFileSync(join(folder, 'layer.json'), 'utf8').includes(`"${layer.diffId}"`))
      throw new MinilabError(
        'usage',
        `${folder} holds another layer, or is damaged`,
        `remove it: rm -r ${folder}`,
      )
  }
}
