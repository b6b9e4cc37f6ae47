import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { MinilabError } from '../common/errors.ts'
import { replaceFile } from '../common/replace-file.ts'
import { object, optional, text, texts } from '../kernel/syscalls/shape.ts'
import { dataFolder, makeDir } from './data-folder.ts'
import { fileError } from './error.ts'
import { makeScratch } from './layer-store.ts'
import { removeTree } from './tree.ts'

/** What an image says about its process: part of the `config` of an OCI image configuration. */
export interface ImageConfig {
  /** 'NAME=value' each */
  Env?: string[]
  Entrypoint?: string[]
  Cmd?: string[]
  WorkingDir?: string
  User?: string
}

/** An image of the local store, as in <data>/images/<name>/image.json. */
export interface Image {
  name: string
  /** diffIds ('sha256:…'), the lowest layer first */
  layers: string[]
  config: ImageConfig
  /** ISO 8601 */
  created: string
  /** of the default image: the host's files that it was made from, with size and time (default.ts) */
  sources?: Record<string, string>
}

/** The names of the images in the store. */
export function imageNames(): string[] {
  const images = join(dataFolder(), 'images')
  return existsSync(images) ? readdirSync(images).filter(isName).sort() : []
}

/** Whether an image can have this name: 'busybox', 'my-app_2', 'debian:12'; never a path. */
export function isName(name: string): boolean {
  return /^[a-z0-9][a-z0-9._-]*(:[A-Za-z0-9._-]+)?$/.test(name) && name.length <= 128
}

const MOST = 2 ** 24 // bytes of an image.json

/** The image of this name; undefined where there is none. Throws a usage error where its file is damaged. */
export function readImage(name: string): Image | undefined {
  const file = join(dataFolder(), 'images', name, 'image.json')
  if (!isName(name) || !existsSync(file)) return undefined
  try {
    const stat = statSync(file)
    // Node would go on reading a file without end (or a FIFO, or a sparse one) until there is no memory left
    const image: unknown = stat.isFile() && stat.size < MOST && JSON.parse(readFileSync(file, 'utf8'))
    if (isImage(image)) return { ...image, name }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw fileError(`read image "${name}"`, error)
  }
  throw new MinilabError(
    'usage',
    `image "${name}" is damaged: ${file} is not JSON, or says something else`,
    `remove it: rm ${file}`,
  )
}

const shape = object({
  layers: texts,
  config: object({
    Env: optional(texts),
    Entrypoint: optional(texts),
    Cmd: optional(texts),
    WorkingDir: optional(text),
    User: optional(text),
  }),
  created: text,
  sources: optional(object({})),
})
const isImage = (value: unknown): value is Image => shape(value)

/** Stores an image under its name, in place of an older one, at once. Throws a MinilabError (machine) for want of room or rights. */
export function writeImage(image: Image): void {
  const dir = join(dataFolder(), 'images', image.name)
  makeDir(dir)
  let scratch: string | undefined
  try {
    scratch = makeScratch() // several commands may make the default image at once
    const partial = join(scratch, 'image.json')
    replaceFile(join(dir, 'image.json'), JSON.stringify(image, null, 2) + '\n', { partial })
  } catch (error) {
    throw fileError(`store image "${image.name}"`, error)
  } finally {
    if (scratch) removeTree(scratch)
  }
}
