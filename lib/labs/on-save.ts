import { existsSync, type FSWatcher, unwatchFile, watch, watchFile } from 'node:fs'
import { basename, dirname } from 'node:path'
import { codeOf } from '../common/error-code.ts'
import { isKind } from '../common/errors.ts'
import { readLearners } from './read-learners.ts'

/** How often a file is looked at where the kernel tells nothing, as of folders shared into a VM; milliseconds. */
const POLL = 1000

/**
 * Calls back each time that a file has another content than before; returns what ends it. The kernel tells at once by
 * inotify(7), of the folder, because many editors put a new file in the place of the old; elsewhere we look ourselves.
 */
export function onSave(file: string, act: () => void): () => void {
  const content = () => {
    try {
      return existsSync(file) ? readLearners(file).toString() : ''
    } catch (error) {
      if (isKind(error, 'usage')) return error.message // what is done then says it
      throw error
    }
  }
  let last = content()
  const look = () => {
    const now = content()
    if (now === last || now === '') return // an editor has just emptied it, and is about to write
    last = now
    act()
  }
  const watcher = watchFolder(dirname(file), name => {
    if (name === null || name === basename(file)) look()
  })
  watchFile(file, { interval: POLL }, look)
  return () => {
    watcher?.close()
    unwatchFile(file, look)
  }
}

/** Undefined where the kernel has no watches left to give: inotify(7), /proc/sys/fs/inotify. */
function watchFolder(folder: string, changed: (name: string | null) => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, (_event, name) => changed(name))
    watcher.on('error', () => watcher.close()) // the polling goes on
    return watcher
  } catch (error) {
    if (['EMFILE', 'ENFILE', 'ENOSPC', 'ENOSYS'].includes(codeOf(error) ?? '')) return undefined
    throw error
  }
}
