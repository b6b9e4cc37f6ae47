import type { Hash } from 'node:crypto'

/** A SHA-256 hash to be filled. node:crypto is loaded when the first one is made: most commands make none. */
export const sha256 = (): Hash => process.getBuiltinModule('node:crypto').createHash('sha256')

/** The 64-bit FNV-1a hash of a text: enough where a collision does no harm, and without node:crypto. */
export function fnv1a(text: string): bigint {
  let hash = 0xcbf29ce484222325n
  for (const byte of Buffer.from(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  return hash
}
