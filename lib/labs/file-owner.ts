import { codeOf } from '../common/error-code.ts'
import { lchownSync, lstatSync, mkdirSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { createFile, type Ids, replaceFile } from '../common/replace-file.ts'
import { areMapped } from '../kernel/process/id-maps.ts'

/**
 * To whom belongs what root makes at `path`: to whom the folder around it belongs. (We may be root by sudo, or in a checkout
 * of another user's.) Undefined where it is right already, as always without root.
 */
export function owner(path: string, made: Ids): Ids | undefined {
  const { uid, gid } = statSync(dirname(path))
  return process.geteuid?.() === 0 && uid !== made.uid && areMapped({ uid, gid }) ? { uid, gid } : undefined
}

/** Who called sudo: sudo(8). Undefined where no one did. */
export function sudoUser(): Ids | undefined {
  const [uid = NaN, gid = NaN] = [process.env.SUDO_UID, process.env.SUDO_GID].map(id => Number(id || NaN))
  const called = process.geteuid?.() === 0 && Number.isSafeInteger(uid) && Number.isSafeInteger(gid)
  const ids = { uid, gid }
  return called && areMapped(ids) ? ids : undefined
}

/** Makes a file, or puts another in its place, as `replaceFile` does. */
export function writeOwned(path: string, text: string | Buffer, mode?: number): void {
  replaceFile(path, text, { mode, owner })
}

/** Makes a file that must not be there yet. Throws with EEXIST where it is. */
export function createOwned(path: string, text: string | Buffer): void {
  createFile(path, text, { owner })
}

export function linkOwned(target: string, path: string): void {
  rmSync(path, { force: true })
  symlinkSync(target, path)
  handOver(path)
}

/** Makes a folder and those missing above it; the new ones belong to `ids`, by default to whom the one above belongs to. */
export function makeOwnedFolder(path: string, ids?: Ids): void {
  if (statSync(path, { throwIfNoEntry: false })) return
  makeOwnedFolder(dirname(path), ids) // not mkdirSync's `recursive`: under /proc it tries for ever
  try {
    mkdirSync(path)
    handOver(path, ids)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error // else another process was faster
  }
}

/** Gives what root has made to whom it belongs, by default to whom the folder around it belongs. */
function handOver(path: string, ids = owner(path, lstatSync(path))): void {
  if (ids) lchownSync(path, ids.uid, ids.gid)
}
