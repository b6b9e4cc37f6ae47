import { chmodSync, lstatSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Removes a folder with everything in it. Overlay's work/work has mode 000, and an image may hold folders without
 * write permission: an ordinary user must open those first.
 */
export function removeTree(path: string): void {
  if (process.getuid?.() !== 0) openFolders(path)
  rmSync(path, { recursive: true, force: true })
}

function openFolders(path: string): void {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) return
  chmodSync(path, 0o700)
  for (const name of readdirSync(path)) openFolders(join(path, name))
}
