// Lab 5: many containers, one image.   The tasks: minilab lab 5   Look again: minilab check 5
import { type Part } from 'minilab'

/** Tasks 1 to 3: the root file system as a stack of layers. */
export const layers: Part = {
  name: 'layers',

  /** On the host: the directories of this container. */
  prepare(container) {
    // `makeFolder(container)` from 'minilab' makes the folder `container.layers.folder`, which is removed with the container
    // TODO 1a: make `upper` and `work` in it, and `container.rootfs`, on which the overlay will be mounted
  },

  /** In the child, in its own mount namespace. */
  inside(tape, { layers, rootfs }) {
    // `layers.lower` are the directories of the image, topmost first
    // TODO 1b: mount an overlay on `rootfs`
    // TODO 2: let it store its marks where a user namespace may write them
    // TODO 3: stack all layers of the image; the name of a folder may contain `:`, `,` and `\`
  },
}

/** Task 4: what a container has done, from its upper directory and the image's: `A /path`, `C /path`, `D /path`. */
export function changes(upper: string, image: string): string[] {
  // TODO 4: walk through `upper`. `lstatSync` tells a whiteout, `readXattrs` from 'minilab' an opaque directory
  return []
}

/** Task 5: the names of the entries that represent `path` (such as `etc/passwd`) in the tar of a layer. */
export function tarNames(upper: string, path: string): string[] {
  // TODO 5: usually it is the path itself; a whiteout has another name, and an opaque directory has two
  return []
}
