import { dirname, join } from 'node:path'

/** Whether we run from a checkout, which has the sources; the npm package has them compiled, in `dist`. */
export const isCheckout = import.meta.filename.endsWith('.ts')

/** The folder of lib, chapters and labs, whose package.json resolves `import … from 'minilab'`: the checkout, or `dist`. */
export const codeFolder = join(import.meta.dirname, '../..')

/** minilab's own folder: the checkout, or the npm package's. */
export const ownFolder = isCheckout ? codeFolder : dirname(codeFolder)
