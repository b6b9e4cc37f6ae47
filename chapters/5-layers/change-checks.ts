import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check } from '../../lib/guide/step.ts'
import { readXattrs } from '../../lib/image/xattr.ts'
import { misbuilt, notInUpper, otherUpper } from './causes.ts'
import { below, changedLayers, describe, entries, inside, inOneLine, text, upperOf } from './readings.ts'
import type { Stack } from './step.ts'
import { counted } from '../../lib/guide/text.ts'

/** overlayfs.rst, "whiteouts and opaque directories" */
const WHITEOUT = 'character device 0:0'

/** What happens when a file is written to, a file is deleted, and a directory replaces another. */
export const changeChecks = {
  copyUp: {
    id: 'copy-up',
    claim: 'the whole changed file was copied to its own layer',
    what(scene: Stack) {
      const [original, copy] = [
        text(below(scene, 'etc/os-release')),
        text(join(upperOf(scene), 'etc/os-release')),
      ]
      if (copy === '') return 'nothing: the image was changed'
      return copy.startsWith(original) ? 'the whole file, with the line' : 'only the line'
    },
    async look(scene) {
      const original = text(below(scene, 'etc/os-release'))
      const copy = text(join(upperOf(scene), 'etc/os-release'))
      const container = await inside(scene, 'cat /etc/os-release')
      return finding(
        copy.length > original.length && copy.startsWith(original) && container === copy.trim(),
        [
          seen('etc/os-release in the image', counted(original.length, 'byte'), null),
          seen(
            'etc/os-release in upper; cat inside',
            counted(copy.length, 'byte'),
            `ends in ${container.split('\n').at(-1)}`,
          ),
        ],
        () =>
          `${copy === '' ? 'There is no copy in upper.' : 'The copy is not what the container sees.'} ${misbuilt(scene) ?? otherUpper(scene) ?? notInUpper(scene) ?? 'Likeliest: the upper directory was changed from outside while it was mounted.'}`,
      )
    },
  },

  original: {
    id: 'original-kept',
    claim: 'the file in the image is as it was',
    look(scene) {
      const changed = changedLayers(scene)
      const path = below(scene, 'etc/os-release')
      return finding(
        changed.length === 0 && !text(path).includes('VARIANT_ID=container'),
        seen(path, text(path).split('\n').find(Boolean) ?? '(empty)', null),
        () =>
          `The image was written to. ${misbuilt(scene) ?? 'Likeliest: by something other than this container.'}`,
      )
    },
  },

  whiteout: {
    id: 'whiteout',
    claim: 'the deleted file is hidden by a whiteout: a character device 0:0 of its name',
    what(scene: Stack) {
      const mark = describe(join(upperOf(scene), 'etc/group'))
      return mark === 'nothing' ? mark : mark === WHITEOUT ? 'a character device' : 'an empty file'
    },
    async look(scene) {
      const mark = describe(join(upperOf(scene), 'etc/group'))
      const container = (await scene.shell.run('cat /etc/group')).status === 0 ? 'there' : 'gone'
      const image = existsSync(below(scene, 'etc/group')) ? 'there' : 'gone'
      return finding(
        mark === WHITEOUT && container === 'gone' && image === 'there',
        [
          seen('etc/group in the image, /etc/group inside', image, container),
          seen('etc/group in upper', mark, null),
        ],
        () =>
          image === 'gone'
            ? `It was deleted from the image, for every container. ${misbuilt(scene)}`
            : container === 'there'
              ? `It is still there. ${misbuilt(scene) ?? 'Likeliest: it was deleted in the upper directory, where it never was, and not in the container.'}`
              : (notInUpper(scene) ??
                "Likeliest: the mark was removed from the upper directory behind overlay's back."),
      )
    },
  },

  opaque: {
    id: 'opaque',
    claim: 'the new directory shows nothing of the old: it is marked opaque',
    async look(scene) {
      const made = join(upperOf(scene), 'var')
      const xattrs = existsSync(made) ? [...readXattrs(made)] : []
      const [name = 'overlay.opaque', value] = xattrs.find(([n]) => n.endsWith('.overlay.opaque')) ?? []
      const image = entries(below(scene, 'var')).join(' ')
      const container = await inside(scene, 'ls /var')
      return finding(
        value?.toString() === 'y' && container === 'new' && image !== '',
        [
          seen('var in the image, ls /var inside', inOneLine(image), inOneLine(container)),
          seen(`getxattr of var in upper`, `${name} = ${value?.toString() ?? 'not set'}`, null),
        ],
        () =>
          misbuilt(scene) ??
          notInUpper(scene) ??
          (value
            ? 'It is marked, but entries of the image are visible. Likeliest: this overlay does not look at this kind of mark.'
            : "It has no mark, so the two are merged. Likeliest: the new directory was made in the upper directory behind overlay's back."),
      )
    },
  },
} satisfies Record<string, Check<Stack> & { what?(scene: Stack): string }>
