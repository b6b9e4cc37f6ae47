import { codeOf } from '../../common/error-code.ts'
import { accessSync } from 'node:fs'

/** Whether we may use a path in a way, as access(2) says: R_OK, W_OK, X_OK. What is not there may not be used either. */
export const mayAccess = (path: string, mode: number): boolean => accessRefusal(path, mode) === undefined

/** Why we may not: the name of the errno, such as EROFS; undefined where we may. */
export function accessRefusal(path: string, mode: number): string | undefined {
  try {
    accessSync(path, mode)
    return undefined
  } catch (error) {
    return codeOf(error)
  }
}
