import { closeSync, openSync, type OpenMode } from 'node:fs'

/** An open file, which `using` closes. */
export interface Descriptor extends Disposable {
  readonly fd: number
}

/** Opens a file as openSync does. */
export function openFile(path: string, flags: OpenMode, mode?: number): Descriptor {
  const fd = openSync(path, flags, mode)
  return { fd, [Symbol.dispose]: () => closeSync(fd) }
}
