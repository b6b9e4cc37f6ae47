import { basename } from 'node:path'
import { MinilabError } from '../common/errors.ts'
import { readRegular } from '../common/regular-file.ts'

/** In bytes; more than any lab needs. */
const MAX_SIZE = 2 ** 20

/** The content of a learner's file. Throws a usage error if it is not a regular file, or larger than 1 MiB. */
export function readLearners(path: string): Buffer {
  const content = readRegular(path, MAX_SIZE)
  if (typeof content === 'object') return content
  throw new MinilabError(
    'usage',
    content === 'no file' ? `${path} is no regular file` : `${path} is larger than 1 MiB`,
    /^\d-/.test(basename(path)) ? 'put your code there as a plain file: minilab init' : 'move it elsewhere',
  )
}
