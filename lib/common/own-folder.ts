import { dirname, join } from 'node:path'

/** A checkout has the sources; the npm package has, in `dist`, what was compiled from them. */
export const isCheckout = import.meta.filename.endsWith('.ts')

/** Where lib, chapters and labs are, and the package.json that says what `import … from 'minilab'` gives: the checkout, or `dist`. */
export const codeFolder = join(import.meta.dirname, '../..')

/** minilab's own folder: the checkout, or that of the npm package. */
export const ownFolder = isCheckout ? codeFolder : dirname(codeFolder)
