import { fstatSync } from 'node:fs'
import type { Stdio } from '../container/streams/streams.ts'

const DEV_NULL = (1 << 8) | 3 // its device number, 1:3

/** Our own descriptors 0, 1 and 2, which become the program's; the container's /dev/null in place of the host's. */
export const ourStdio = (): Stdio => [stream(0), stream(1), stream(2)]

function stream(fd: number): Stdio[number] {
  const stat = fstatSync(fd)
  return stat.isCharacterDevice() && stat.rdev === DEV_NULL ? 'null' : fd
}
