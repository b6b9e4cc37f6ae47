import { createReadStream, lstatSync, mkdtempSync, openSync, readdirSync, renameSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { extract } from 'tar-stream'
import { MinilabError } from '../common/errors.ts'
import { decompressed } from './compression.ts'
import { Confined } from './confined.ts'
import { codeOf } from '../common/error-code.ts'
import { fileError } from './error.ts'
import { type LayerInfo, measure, newLayerInfo } from './layer-info.ts'
import { removeTree } from './tree.ts'
import { type Content, Unpacking } from './unpack-entry.ts'

const MAKE_AGAIN = 'download or make it again'

/**
 * Unpacks a layer's tar (plain, gzip or zstd) as the directory `dir`, which must not exist or must be empty. The directory
 * appears when it is complete; after an error nothing is left. With `overlay`, whiteouts and opaque directories get the form
 * that overlayfs reads in a lower directory; without it they are left out, because nothing is below this tree. Nothing is ever
 * written outside (confined.ts). Without root, files belong to the user, and devices and some extended attributes are left out:
 * the result's `notes` say which.
 *
 * Throws a usage error for a tar that is truncated, damaged or not a tar; a MinilabError (machine) for lack of room or rights.
 */
export async function unpackLayer(
  tar: string | Readable,
  dir: string,
  options: { overlay: boolean },
): Promise<LayerInfo> {
  const name = typeof tar === 'string' ? tar : 'the tar'
  const target = resolve(dir)
  let source: Readable | undefined
  let partial: string | undefined
  try {
    if (lstatSync(target, { throwIfNoEntry: false }) && readdirSync(target).length)
      throw new MinilabError('usage', `${dir} is not empty`, 'name a directory that does not exist yet')
    source = typeof tar === 'string' ? createReadStream('', { fd: openSync(tar, 'r') }) : tar
    partial = mkdtempSync(join(dirname(target), `.${basename(target)}.`))
    const info = await unpackInto(partial, source, name, options.overlay)
    renameSync(partial, target)
    return info
  } catch (error) {
    if (partial) removeTree(partial)
    throw damage(name, error) ?? fileError(`unpack ${name}`, error)
  } finally {
    source?.destroy()
  }
}

async function unpackInto(dir: string, source: Readable, name: string, overlay: boolean): Promise<LayerInfo> {
  const info = newLayerInfo()
  using tree = new Confined(dir)
  const unpacking = new Unpacking(tree, overlay)
  const tar = extract()
  let working: Promise<void> = Promise.resolve()
  let refused: { error: unknown } | undefined
  tar.on('entry', (header, content, next) => {
    info.entries++
    working = unpacking.add(header, content as unknown as Content).then(
      () => next(),
      (error: unknown) => {
        refused = { error }
        next(error as Error)
      },
    )
  })
  try {
    const content = await decompressed(source, name)
    await pipeline(closed(measure(content, info), name), tar as unknown as NodeJS.WritableStream)
    await working
    unpacking.finish()
  } catch (error) {
    await working
    // if we stopped at an entry that we could not write, the streams report only the early end
    throw refused && codeOf(error) === 'ERR_STREAM_PREMATURE_CLOSE' ? refused.error : error
  }
  info.notes = [...unpacking.notes]
  return info
}

/** Passes a tar on, and throws if it does not end in a block of zeros: a tar cut off between two entries shows only by that. */
async function* closed(tar: AsyncIterable<Buffer>, name: string): AsyncGenerator<Buffer> {
  let end: Buffer = Buffer.alloc(0)
  for await (const chunk of tar) {
    end = Buffer.concat([end, chunk.subarray(-512)]).subarray(-512)
    yield chunk
  }
  if (end.length < 512 || end.some(byte => byte !== 0))
    throw new MinilabError(
      'usage',
      `${name} is truncated, or not a tar: it does not end in zeros`,
      MAKE_AGAIN,
    )
}

/**
 * A usage error if zlib (an error with its code) or tar-stream (a plain Error without a code) found the archive damaged; else
 * undefined.
 */
function damage(name: string, error: unknown): MinilabError<'usage'> | undefined {
  if (!(error instanceof Error)) return undefined
  const code = codeOf(error)
  const found = code ? /^(Z_|ZSTD_)/.test(code) : error.constructor === Error
  return found
    ? new MinilabError('usage', `${name} is truncated, damaged or not a tar: ${error.message}`, MAKE_AGAIN)
    : undefined
}
