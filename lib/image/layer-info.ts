import { sha256 } from '../common/hash.ts'

/** What is measured of a layer's tar while it is written or read. */
export interface LayerInfo {
  /** sha256 of the uncompressed tar, which names the layer: 'sha256:…' */
  diffId: string
  /** bytes of the uncompressed tar */
  size: number
  entries: number
  /** what could not be stored, one line each */
  notes: string[]
}

export const newLayerInfo = (): LayerInfo => ({ diffId: '', size: 0, entries: 0, notes: [] })

/** Passes a tar on unchanged, and fills in `info` (digest and size) when it ends. */
export async function* measure(tar: AsyncIterable<Buffer>, info: LayerInfo): AsyncGenerator<Buffer> {
  const hash = sha256()
  for await (const chunk of tar) {
    hash.update(chunk)
    info.size += chunk.length
    yield chunk
  }
  info.diffId = `sha256:${hash.digest('hex')}`
}
