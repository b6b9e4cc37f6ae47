import { fnv1a } from '../common/hash.ts'
import { statSync } from 'node:fs'
import { Writable } from 'node:stream'
import { type Image, readImage, writeImage } from './image.ts'
import { addLayer, hasLayer } from './layer-store.ts'
import { addPackedLayer, packedImage } from './packed.ts'
import { BUSYBOX, CONFIG, SKELETON, TOOLS } from './default-recipe.ts'
import type { Plan } from './plan.ts'

/** The name of the image that minilab makes itself. */
export const DEFAULT_IMAGE = 'default'

/**
 * Returns the image "default": the one from a class pack, which is the same on every machine of a class; else one made here,
 * from a static busybox at one of the paths `busybox`, else from the host's own programs with their libraries. It is made once,
 * and again when one of these files changes. Needs no network. Throws a MinilabError (machine) where there is neither, or no
 * room or right to write.
 */
export async function buildDefaultImage(busybox: readonly string[] = BUSYBOX): Promise<Image> {
  // another version of minilab may make it differently
  const recipe = fnv1a(JSON.stringify([busybox, TOOLS, SKELETON, CONFIG])).toString(16)
  const stored = readImage(DEFAULT_IMAGE)
  const packed = packedImage()
  if (packed) {
    await addPackedLayer(packed)
    return stored?.layers.join() === packed.diffId ? stored : store([packed.diffId])
  }
  if (stored && isCurrent(stored, recipe)) return stored

  const looked = new Set(busybox)
  const { planDefault } = await import('./programs.ts') // loaded here, like the imports below, because it is rarely needed
  const plan = planDefault(looked)
  const sources = { recipe, ...fingerprints(plan, looked) }
  const [{ makeTree }, { packLayer }] = await Promise.all([import('./plan.ts'), import('./pack.ts')])
  const layer = await addLayer(dir => {
    makeTree(plan, dir)
    return packLayer(dir, new Writable({ write: (_chunk, _encoding, done) => done() }), { overlay: false })
  })
  return store([layer.diffId], sources)
}

function store(layers: string[], sources?: Record<string, string>): Image {
  const created = new Date().toISOString()
  const image = { name: DEFAULT_IMAGE, layers, config: CONFIG, created, ...(sources && { sources }) }
  writeImage(image)
  return image
}

function isCurrent({ sources = {}, layers }: Image, recipe: string): boolean {
  const { recipe: usedRecipe, ...files } = sources
  return (
    usedRecipe === recipe &&
    layers.every(hasLayer) &&
    Object.entries(files).every(([path, print]) => fingerprint(path) === print)
  )
}

function fingerprints(plan: Plan, looked: Set<string>): Record<string, string> {
  const copied = [...plan.values()].flatMap(item => ('copy' in item ? [item.copy] : []))
  return Object.fromEntries([...looked, ...copied].map(path => [path, fingerprint(path)]))
}

/** Size and time of a file, enough to notice that it was replaced; '' if there is none. */
function fingerprint(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true })
  return stat ? `${stat.size} ${stat.mtimeNs}` : ''
}
