import { join } from 'node:path'
import { ownFolder } from '../common/own-folder.ts'

/** Where the Markdown is: in the checkout, and as it is in the npm package. */
export const bookFolder = join(ownFolder, 'book')
