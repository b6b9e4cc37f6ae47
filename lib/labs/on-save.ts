import { existsSync, type FSWatcher, unwatchFile, watch, watchFile } from 'node:fs'
import { basename, dirname } from 'node:path'
import { codeOf } from '../common/error-code.ts'
import { isKind } from '../common/errors.ts'
import { readLearners } from './read-learners.ts'

/** How often to look at a file where the kernel reports no changes, as in folders shared with a VM; milliseconds. */
const POLL = 1000

/**
 * Calls `act` each time the content of a file changes; returns a function that stops it. inotify(7) on the folder reports
 * changes at once (on the folder, because many editors replace the file); we also poll.
 */
export function onSave(file: string, act: () => void): () => void {
  const content = () => {
    try {
      return existsSync(file) ? readLearners(file).toString() : ''
    } catch (error) {
      if (isKind(error, 'usage')) return error.message // the command that follows reports it
      throw error
    }
  }
  let last = content()
  const look = () => {
    const now = content()
    if (now === last || now === '') return // an editor has just emptied it and is about to write
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

/** Undefined if the kernel has no inotify watches left: inotify(7), /proc/sys/fs/inotify. */
function watchFolder(folder: string, changed: (name: string | null) => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, (_event, name) => changed(name))
    watcher.on('error', () => watcher.close()) // polling continues
    return watcher
  } catch (error) {
    if (['EMFILE', 'ENFILE', 'ENOSPC', 'ENOSYS'].includes(codeOf(error) ?? '')) return undefined
    throw error
  }
}
