import { join } from 'node:path'
import { ownFolder } from '../common/own-folder.ts'

/** The folder of the Markdown files; the npm package has it too. */
export const bookFolder = join(ownFolder, 'book')
