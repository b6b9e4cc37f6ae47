import { closeSync, openSync, type OpenMode } from 'node:fs'

/** An open file, which `using` closes. */
export interface Descriptor extends Disposable {
  readonly fd: number
}

/** A descriptor that is open already. */
export const closing = (fd: number): Descriptor => ({ fd, [Symbol.dispose]: () => closeSync(fd) })

/** Opens a file as openSync does. */
export function openFile(path: string, flags: OpenMode, mode?: number): Descriptor {
  return closing(openSync(path, flags, mode))
}

/** Closes a descriptor if a function that uses it throws. */
export function orClose<T>(fd: number, use: () => T): T {
  try {
    return use()
  } catch (error) {
    closeSync(fd)
    throw error
  }
}
