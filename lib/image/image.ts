import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { MinilabError } from '../common/errors.ts'
import { readJson } from '../common/json.ts'
import { replaceFile } from '../common/replace-file.ts'
import { object, type Of, optional, type Shape, text, texts } from '../common/shape.ts'
import { dataFolder, makeDir } from './data-folder.ts'
import { fileError } from './error.ts'
import { makeScratch } from './layer-store.ts'
import { removeTree } from './tree.ts'

/** The part of an OCI image configuration's `config` that we use. */
const config = object({
  /** 'NAME=value' each */
  Env: optional(texts),
  Entrypoint: optional(texts),
  Cmd: optional(texts),
  WorkingDir: optional(text),
  User: optional(text),
})

const isImage = object({
  /** diffIds ('sha256:…'), the lowest layer first */
  layers: texts,
  config,
  /** ISO 8601 */
  created: text,
  /** of the default image: the host's files that it was made from, with their size and time (default.ts) */
  sources: optional(object({}) as Shape<Record<string, string>>), // the values are only compared
})

/** The configuration that an image gives for its process. */
export type ImageConfig = Of<typeof config>
/** An image of the local store, as in <data>/images/<name>/image.json. */
export type Image = Of<typeof isImage> & { name: string }

/** The names of the images in the store. */
export function imageNames(): string[] {
  const images = join(dataFolder(), 'images')
  return existsSync(images) ? readdirSync(images).filter(isName).sort() : []
}

/** Whether a text is a valid image name: 'busybox', 'my-app_2', 'debian:12'; never a path. */
export function isName(name: string): boolean {
  return /^[a-z0-9][a-z0-9._-]*(:[A-Za-z0-9._-]+)?$/.test(name) && name.length <= 128
}

/** The image of this name; undefined if there is none. Throws a usage error if its file is damaged. */
export function readImage(name: string): Image | undefined {
  const file = join(dataFolder(), 'images', name, 'image.json')
  if (!isName(name) || !existsSync(file)) return undefined
  try {
    const image = readJson(file, isImage)
    if (typeof image === 'object') return { ...image, name }
  } catch (error) {
    throw fileError(`read image "${name}"`, error)
  }
  throw new MinilabError(
    'usage',
    `image "${name}" is damaged: ${file} is not JSON, or does not describe an image`,
    `remove it: rm ${file}`,
  )
}

/** Stores an image under its name and replaces an older one in one step. Throws a MinilabError (machine) for lack of room or rights. */
export function writeImage(image: Image): void {
  const dir = join(dataFolder(), 'images', image.name)
  makeDir(dir)
  let scratch: string | undefined
  try {
    scratch = makeScratch() // several commands may make the default image at the same time
    const partial = join(scratch, 'image.json')
    replaceFile(join(dir, 'image.json'), JSON.stringify(image, null, 2) + '\n', { partial })
  } catch (error) {
    throw fileError(`store image "${image.name}"`, error)
  } finally {
    if (scratch) removeTree(scratch)
  }
}
