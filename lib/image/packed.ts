import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MinilabError } from '../common/errors.ts'
import { readJson } from '../common/json.ts'
import { object, type Of, text } from '../common/shape.ts'
import { codeFolder } from '../common/own-folder.ts'
import { addLayer, hasLayer, layerDir } from './layer-store.ts'

const isPacked = object({
  /** process.arch of the machine whose programs it has */
  arch: text,
  /** the digest of default.tar, its only layer */
  diffId: text,
})

/** The default image in a class pack, for one kind of machine: default.json, beside default.tar. */
export type PackedImage = Of<typeof isPacked>

/** The folder of packed images, which exists only in a class pack. */
export const PACKED = join(codeFolder, 'image')
const DAMAGED = 'unpack the class pack again'

/** The class pack's image for this kind of machine; undefined if there is none. Throws a usage error if it is damaged. */
export function packedImage(): PackedImage | undefined {
  const file = join(PACKED, 'default.json')
  if (!existsSync(file)) return undefined
  const packed = readJson(file, isPacked)
  if (typeof packed === 'string') throw new MinilabError('usage', `${file} is damaged`, DAMAGED)
  return packed.arch === process.arch ? packed : undefined
}

/** Puts the layer of a packed image into the store. Throws a usage error if it is not the layer that the image names. */
export async function addPackedLayer({ diffId }: PackedImage): Promise<void> {
  if (hasLayer(diffId)) return
  const tar = join(PACKED, 'default.tar')
  const { unpackLayer } = await import('./unpack.ts') // loaded here because tar-stream is rarely needed
  await addLayer(async dir => {
    const info = await unpackLayer(tar, dir, { overlay: false })
    if (info.diffId !== diffId) throw new MinilabError('usage', `${tar} is damaged`, DAMAGED)
    return info
  })
}

/** Writes a layer of the store as a packed image: two files in `dir`. Throws as packLayer does. */
export async function writePackedImage(layer: string, dir: string): Promise<void> {
  const { packLayer } = await import('./pack.ts')
  const tar = join(dir, 'default.tar')
  const { diffId } = await packLayer(layerDir(layer), tar, { overlay: false, owner: 'root' })
  const packed: PackedImage = { arch: process.arch, diffId }
  writeFileSync(join(dir, 'default.json'), JSON.stringify(packed, null, 2) + '\n')
}
