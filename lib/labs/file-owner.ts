import { codeOf } from '../common/error-code.ts'
import { lchownSync, lstatSync, mkdirSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { createFile, type Ids, replaceFile } from '../common/replace-file.ts'
import { areMapped } from '../kernel/process/id-maps.ts'

/**
 * The owner for what root makes at `path`: that of the folder that contains it. (We may be root by sudo, or in another user's
 * checkout.) Undefined if the owner is right already, as always without root.
 */
export function owner(path: string, made: Ids): Ids | undefined {
  const { uid, gid } = statSync(dirname(path))
  return process.geteuid?.() === 0 && uid !== made.uid && areMapped({ uid, gid }) ? { uid, gid } : undefined
}

/** The user who called sudo: sudo(8). Undefined without sudo. */
export function sudoUser(): Ids | undefined {
  const [uid = NaN, gid = NaN] = [process.env.SUDO_UID, process.env.SUDO_GID].map(id => Number(id || NaN))
  const called = process.geteuid?.() === 0 && Number.isSafeInteger(uid) && Number.isSafeInteger(gid)
  const ids = { uid, gid }
  return called && areMapped(ids) ? ids : undefined
}

/** Makes or replaces a file as `replaceFile` does, with the right owner. */
export function writeOwned(path: string, text: string | Buffer, mode?: number): void {
  replaceFile(path, text, { mode, owner })
}

/** Makes a file with the right owner. Throws with EEXIST if it exists. */
export function createOwned(path: string, text: string | Buffer): void {
  createFile(path, text, { owner })
}

export function linkOwned(target: string, path: string): void {
  rmSync(path, { force: true })
  symlinkSync(target, path)
  handOver(path)
}

/** Makes a folder and its missing parents. They get the owner `ids`, by default that of the folder that contains them. */
export function makeOwnedFolder(path: string, ids?: Ids): void {
  if (statSync(path, { throwIfNoEntry: false })) return
  makeOwnedFolder(dirname(path), ids) // not mkdirSync's `recursive`: under /proc it tries for ever
  try {
    mkdirSync(path)
    handOver(path, ids)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error // otherwise another process made it first
  }
}

/** Gives what root has made to its owner, by default the owner of the folder that contains it. */
function handOver(path: string, ids = owner(path, lstatSync(path))): void {
  if (ids) lchownSync(path, ids.uid, ids.gid)
}
