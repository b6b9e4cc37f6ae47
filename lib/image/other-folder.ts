import { statfsSync } from 'node:fs'
import { mountOf } from '../kernel/mount/mountinfo.ts'
import { dataFolder } from './data-folder.ts'

const MEMORY = '/dev/shm'
const ENOUGH = 2 ** 26 // bytes: room for an image, and for what its containers write

/**
 * A data folder to use when the present one does not serve, as a command line gives it: in memory, if there is room, programs
 * there can be executed, and it is not in use already; else a placeholder for a folder that the user chooses.
 */
export function otherFolder(): string {
  return isInMemoryPossible() ? `MINILAB_DATA=$(mktemp -d -p ${MEMORY})` : 'MINILAB_DATA=/a/folder/there'
}

/** The advice to use that folder, in words. */
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
