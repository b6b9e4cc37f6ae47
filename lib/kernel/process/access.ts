import { codeOf } from '../../common/error-code.ts'
import { accessSync } from 'node:fs'

/** Whether access(2) allows us to use a path in a certain way: R_OK, W_OK, X_OK. A path that does not exist counts as not allowed. */
export const mayAccess = (path: string, mode: number): boolean => accessRefusal(path, mode) === undefined

/** Why access is denied: the name of the errno, such as EROFS; undefined if it is allowed. */
export function accessRefusal(path: string, mode: number): string | undefined {
  try {
    accessSync(path, mode)
    return undefined
  } catch (error) {
    return codeOf(error)
  }
}
