import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { Writable } from 'node:stream'
import { MinilabError } from '../common/errors.ts'
import { type Image, type ImageConfig, readImage, writeImage } from './image.ts'
import { addLayer, hasLayer } from './layer-store.ts'
import { addPackedLayer, packedImage } from './packed.ts'
import { type Item, makeTree, type Plan } from './plan.ts'
import { BUSYBOX, planBusybox, planHostPrograms, TOOLS } from './programs.ts'

/** The name under which `minilab run` finds the image that minilab makes itself. */
export const DEFAULT_IMAGE = 'default'

const CONFIG: ImageConfig = {
  Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
  Cmd: ['/bin/sh'],
  WorkingDir: '/',
}

/** What every root file system has besides programs; /etc/hosts and those beside it are there to be mounted over. */
const SKELETON: [path: string, item: Item][] = [
  ['/proc', { dir: 0o555 }],
  ['/sys', { dir: 0o555 }],
  ['/dev', { dir: 0o755 }],
  ['/run', { dir: 0o755 }],
  ['/mnt', { dir: 0o755 }],
  ['/home', { dir: 0o755 }],
  ['/root', { dir: 0o700 }],
  ['/tmp', { dir: 0o1777 }],
  ['/var/tmp', { dir: 0o1777 }],
  [
    '/etc/passwd',
    { text: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n' },
  ],
  ['/etc/group', { text: 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n' }],
  ['/etc/nsswitch.conf', { text: 'passwd: files\ngroup: files\nhosts: files dns\n' }],
  [
    '/etc/os-release',
    { text: 'NAME=minilab\nID=minilab\nPRETTY_NAME="minilab, from the programs of its host"\n' },
  ],
  ['/etc/hosts', { text: '127.0.0.1 localhost\n::1 localhost\n' }],
  ['/etc/hostname', { text: '' }],
  ['/etc/resolv.conf', { text: '' }],
]

/**
 * The image "default": the one that a class pack brought, the same on every machine of a class; else made from what the
 * machine has: a static busybox (one of the paths `busybox`), else the host's own programs with their libraries. Made
 * once, and again when one of these files has changed. No network.
 * Throws a MinilabError (machine) where there is neither, or no room or right to write.
 */
export async function buildDefaultImage(busybox: readonly string[] = BUSYBOX): Promise<Image> {
  // a new version of minilab may make it differently
  const recipe = createHash('sha256')
    .update(JSON.stringify([busybox, TOOLS, SKELETON, CONFIG]))
    .digest('hex')
  const stored = readImage(DEFAULT_IMAGE)
  const packed = packedImage()
  if (packed) {
    await addPackedLayer(packed)
    return stored?.layers.join() === packed.diffId ? stored : store([packed.diffId])
  }
  if (stored && isCurrent(stored, recipe)) return stored

  const looked = new Set(busybox)
  let plan: Plan | undefined
  for (const path of busybox) plan ??= planBusybox(path)
  plan ??= planHostPrograms(looked)
  if (!plan)
    throw new MinilabError(
      'machine',
      'this machine has neither a static busybox nor the programs sh, ls and cat to make a root file system from',
      'install one: apt-get install busybox-static, dnf install busybox, or apk add busybox-static',
    )
  for (const [path, item] of SKELETON) plan.set(path, item)
  const sources = { recipe, ...fingerprints(plan, looked) }
  const { packLayer } = await import('./pack.ts') // tar-stream, which is seldom needed
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

/** Enough to tell that a program was replaced; '' for none. */
function fingerprint(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true })
  return stat ? `${stat.size} ${stat.mtimeNs}` : ''
}
