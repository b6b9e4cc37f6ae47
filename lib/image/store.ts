import { existsSync, readSync, realpathSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { openFile } from '../common/descriptor.ts'
import { MinilabError } from '../common/errors.ts'
import { suggest } from '../common/suggest.ts'
import { compression } from './compression.ts'
import { dataFolder } from './data-folder.ts'
import { buildDefaultImage, DEFAULT_IMAGE } from './default.ts'
import { fileError } from './error.ts'
import { type Image, type ImageConfig, imageNames, isName, readImage, writeImage } from './image.ts'
import { addLayer, guardLayers, hasLayer, layerDir } from './layer-store.ts'

/** What a container starts from. */
export interface RootSource {
  /** the image's name, or the directory's absolute path */
  name: string
  /** a directory is itself the root file system, and is written to; an image's layers are only used as lower layers of an overlay */
  kind: 'directory' | 'image'
  /** absolute paths of the trees, the lowest first; for a directory, its own path */
  layers: string[]
  config: ImageConfig
}

/**
 * What the argument of `minilab run` names: an image of the store ("default" is made if necessary), or a directory with a root
 * file system. A word with a slash is always a path. Throws a usage error otherwise.
 */
export async function findImage(word: string): Promise<RootSource> {
  const image = word === DEFAULT_IMAGE ? await buildDefaultImage() : readImage(word)
  if (image) return fromImage(image)
  if (existsSync(word)) return fromPath(word)
  if (word.includes('/'))
    throw new MinilabError(
      'usage',
      `there is no directory ${word}`,
      'name a directory with a root file system, or an image',
    )
  const names = [...new Set([DEFAULT_IMAGE, ...imageNames()])]
  const meant = suggest(word, names)
  throw new MinilabError(
    'usage',
    `there is no image or directory "${word}"`,
    meant ? `did you mean "${meant}"?` : `the images here are: ${names.join(', ')}`,
  )
}

/** The paths of an image's layers, which may not exist yet: makes nothing, not even the default image. */
export function plannedLayers(name: string): string[] {
  return readImage(name)?.layers.map(layerDir) ?? [join(dataFolder(), 'layers', name, 'diff')]
}

/**
 * Makes an image of one layer from the tar of a root file system, plain or compressed (such as the output of `docker export`).
 * Also returns notes on what could not be stored. Throws a usage error for a wrong name or tar, a MinilabError (machine) for
 * lack of room.
 */
export async function importRootfs(tar: string, name: string): Promise<{ image: Image; notes: string[] }> {
  if (!isName(name) || name === DEFAULT_IMAGE)
    throw new MinilabError(
      'usage',
      `an image cannot be called "${name}"`,
      'use lowercase letters, digits and . _ - (not "default")',
    )
  const { unpackLayer } = await import('./unpack.ts') // loaded here because tar-stream is rarely needed
  const layer = await addLayer(async dir => {
    const info = await unpackLayer(tar, dir, { overlay: false })
    if (existsSync(join(dir, 'oci-layout')) || existsSync(join(dir, 'manifest.json')))
      throw new MinilabError('usage', `${tar} holds an image in layers, not one root file system`, FLATTEN)
    return info
  })
  const config: ImageConfig = { Cmd: ['/bin/sh'] }
  const image = { name, layers: [layer.diffId], config, created: new Date().toISOString() }
  writeImage(image)
  return { image, notes: layer.notes }
}

const FLATTEN = 'convert it: docker create --name x IMAGE && docker export x -o rootfs.tar'

function fromImage({ name, layers, config }: Image): RootSource {
  const lost = layers.find(diffId => !hasLayer(diffId))
  if (lost)
    throw new MinilabError('usage', `image "${name}" lacks its layer ${lost.slice(0, 19)}`, 'import it again')
  if (layers.length > 0) guardLayers() // older versions of minilab gave them to a group that users may be given
  return { name, kind: 'image', layers: layers.map(layerDir), config }
}

function fromPath(path: string): RootSource {
  try {
    const dir = resolve(path)
    if (realpathSync(dir) === '/')
      throw new MinilabError(
        'usage',
        "this machine's own root cannot be a container's root file system",
        'name a directory with a copy of it, or an image',
      )
    if (statSync(dir).isDirectory()) return { name: dir, kind: 'directory', layers: [dir], config: {} }
    if (!isArchive(dir))
      throw new MinilabError(
        'usage',
        `${path} is a file`,
        'name a directory with a root file system, or an image',
      )
    throw new MinilabError(
      'usage',
      `${path} is an archive, not a directory with a root file system`,
      `unpack it: mkdir rootfs && tar -C rootfs -xpf ${path} (an image saved in layers has to be exported first: docker export)`,
    )
  } catch (error) {
    throw fileError(`use ${path}`, error)
  }
}

/** Whether a file begins like a compressed one, or has a tar's "ustar". */
function isArchive(path: string): boolean {
  using file = openFile(path, 'r')
  const head = Buffer.alloc(512)
  readSync(file.fd, head)
  return compression(head) !== undefined || head.toString('latin1', 257, 262) === 'ustar'
}
