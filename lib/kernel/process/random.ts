import { now } from '../syscalls/now.ts'

/** Random bytes from the kernel. Not from node:crypto: to load it takes as long as a tenth of `minilab run`. */
export function randomBytes(count: number): Buffer {
  const bytes = Buffer.alloc(count)
  now.getrandom(bytes, count, 0)
  return bytes
}

/** Random bytes in hexadecimal, for a name that nothing else has. */
export const randomHex = (bytes: number): string => randomBytes(bytes).toString('hex')
