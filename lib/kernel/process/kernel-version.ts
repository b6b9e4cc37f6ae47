import { release } from 'node:os'

/** Whether the running kernel, or the given one, is of this version or a later one. */
export function isAtLeast(version: `${number}.${number}`, kernel = release()): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map(part => parseInt(part))
  const [wantedMajor = 0, wantedMinor = 0] = version.split('.').map(Number)
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)
}
