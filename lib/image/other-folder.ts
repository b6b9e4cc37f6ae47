import { statfsSync } from 'node:fs'
import { mountOf } from '../kernel/mount/mountinfo.ts'
import { dataFolder } from './data-folder.ts'

const MEMORY = '/dev/shm'
const ENOUGH = 2 ** 26 // bytes: an image, and what its containers write

/**
 * A data folder that would serve where the one in use does not, as it is given to a command: in memory, where that can hold
 * programs that can be executed, and is not in use already; else a folder to be chosen.
 */
export function otherFolder(): string {
  return isInMemoryPossible() ? `MINILAB_DATA=$(mktemp -d -p ${MEMORY})` : 'MINILAB_DATA=/a/folder/there'
}

/** What to do, in words and with that. */
export const useOtherFolder = () =>
  `put the data folder on another file system: ${otherFolder()}${isInMemoryPossible() ? '' : ' (in a container: a volume, docker run -v /a/folder/there)'}`

function isInMemoryPossible(): boolean {
  const mount = mountOf(MEMORY)
  if (mount?.target !== MEMORY || mount.type !== 'tmpfs' || dataFolder().startsWith(`${MEMORY}/`))
    return false
  if (['noexec', 'ro'].some(option => mount.options.includes(option))) return false
  const { bavail, bsize } = statfsSync(MEMORY)
  return bavail * bsize >= ENOUGH
}
