import { pipeline, Readable } from 'node:stream'
import { MinilabError } from '../common/errors.ts'

interface Format {
  name: string
  /** in hexadecimal */
  magic: string
  decompress?: 'createGunzip' | 'createZstdDecompress'
}

/** Compressed formats by their first bytes. `decompress` is the function of node:zlib for it, if there is one. */
const FORMATS: Format[] = [
  { name: 'gzip', magic: '1f8b', decompress: 'createGunzip' },
  { name: 'zstd', magic: '28b52ffd', decompress: 'createZstdDecompress' },
  { name: 'xz', magic: 'fd377a58' },
  { name: 'bzip2', magic: '425a68' },
]
const LONGEST_MAGIC = 4

/** The compression format of data that begins with these bytes; undefined if it is not compressed. */
export function compression(head: Buffer): Format | undefined {
  return FORMATS.find(({ magic }) => head.toString('hex', 0, LONGEST_MAGIC).startsWith(magic))
}

/**
 * The content of `source`, decompressed if its first bytes are those of a compressed format. Throws a usage error that calls
 * the source `name`, for an empty source and for a format that Node cannot read. Damaged data gives zlib's error while reading.
 */
export async function decompressed(source: Readable, name: string): Promise<Readable> {
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  let head: Buffer = Buffer.alloc(0)
  while (head.length < LONGEST_MAGIC) {
    const next = await chunks.next()
    if (next.done) break
    head = Buffer.concat([head, next.value])
  }
  if (head.length === 0) throw new MinilabError('usage', `${name} is empty`, 'download or make it again')
  const whole = Readable.from(prepend(head, chunks))
  const format = compression(head)
  if (!format) return whole
  const make = format.decompress && (await import('node:zlib'))[format.decompress]
  if (make) return pipeline(whole, make(), () => {}) // an error reaches the reader
  throw new MinilabError(
    'usage',
    `${name} is compressed with ${format.name}, which this Node cannot read`,
    `decompress it first: ${format.name} -d`,
  )
}

async function* prepend(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield head
  yield* { [Symbol.asyncIterator]: () => rest }
}
