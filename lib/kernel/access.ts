import { accessSync } from 'node:fs'

/** Whether we may use a path in a way, as access(2) says: R_OK, W_OK, X_OK. What is not there may not be used either. */
export function mayAccess(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false // access(2) answers only in this way
  }
}
