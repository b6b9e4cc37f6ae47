import type { Hash } from 'node:crypto'

/** A new SHA-256 hash. node:crypto is loaded only now: most commands never need it. */
export const sha256 = (): Hash => process.getBuiltinModule('node:crypto').createHash('sha256')

/** The 64-bit FNV-1a hash of a text, without loading node:crypto. For uses where a collision does no harm. */
export function fnv1a(text: string): bigint {
  let hash = 0xcbf29ce484222325n
  for (const byte of Buffer.from(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  return hash
}
