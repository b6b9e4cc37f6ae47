import { O_CLOEXEC } from '../syscalls/constants.ts'
import { int32s, now } from '../syscalls/now.ts'

/** A pipe, both ends close-on-exec: pipe2(2). The caller closes them. */
export function pipe(): { read: number; write: number } {
  const pair = new Uint8Array(8)
  now.pipe2(pair, O_CLOEXEC)
  const [read = -1, write = -1] = int32s(pair)
  return { read, write }
}
