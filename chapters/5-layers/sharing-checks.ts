import { statSync } from 'node:fs'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check } from '../../lib/guide/step.ts'
import { treeDigest } from '../../lib/image/tree-digest.ts'
import { copiedAtStart, misbuilt, notItsOwn } from './causes.ts'
import {
  below,
  changedLayers,
  contents,
  copiesOf,
  directories,
  inside,
  inOneLine,
  rootMount,
  short,
  some,
  upperOf,
} from './readings.ts'
import type { Stack } from './step.ts'

/** What two containers on the same image share, and what each has separately. */
export const sharingChecks = {
  shared: {
    id: 'shared-lower',
    claim: 'both read the same files of the image, the very same inodes',
    look(scene) {
      const { pid, second } = scene
      // overlayfs.rst, "Inode properties": if all layers are on one file system, st_ino is that of the underlying file
      const inode = (path: string) => statSync(path, { throwIfNoEntry: false })?.ino ?? 'missing'
      const image = inode(below(scene, 'etc/passwd'))
      const inodes = [pid, second?.pid].map(who => inode(`/proc/${who}/root/etc/passwd`))
      const [one, two] = [pid, second?.pid].map(who => directories(rootMount(who), 'lowerdir').join(':'))
      return finding(
        one === two && one !== '' && inodes.every(number => number === image),
        [
          seen('lowerdir of the first', null, one || 'none'),
          seen('lowerdir of the second', null, two || 'none'),
          seen('inode of etc/passwd', image, inodes.join(' and ')),
        ],
        () =>
          misbuilt(scene) ??
          notItsOwn(scene) ??
          (one !== two
            ? 'They use different directories: the image was copied for each container instead of being shared.'
            : `One of them has its own copy. ${copiedAtStart(scene, upperOf(scene)) ?? ''}`),
      )
    },
  },

  nothingCopied: {
    id: 'nothing-copied',
    claim: 'the second has no copy of any file of the image',
    what(scene: Stack) {
      const copies = copiesOf(scene)
      return copies === 0
        ? 'none'
        : copies === scene.lower.flatMap(contents).length
          ? 'all'
          : 'those that it runs'
    },
    look(scene) {
      return finding(
        copiesOf(scene) === 0,
        [
          seen('files of the image', scene.lower.flatMap(contents).length, null),
          seen(`${scene.second && upperOf(scene.second)}`, `${copiesOf(scene)} of them`, null),
        ],
        () =>
          notItsOwn(scene) ??
          (scene.second && copiedAtStart(scene, upperOf(scene.second))) ??
          'It has changed files of the image.',
      )
    },
  },

  unseen: {
    id: 'unseen',
    claim: 'neither sees what the other writes',
    async look(scene) {
      const first = await inside(scene, 'ls /root')
      const second = scene.second ? await inside(scene.second, 'ls /root') : ''
      return finding(
        first === 'from-the-first' && second === 'from-the-second',
        [
          seen('ls /root in the first', null, inOneLine(first)),
          seen('ls /root in the second', null, inOneLine(second)),
        ],
        () => misbuilt(scene) ?? notItsOwn(scene) ?? 'Likeliest: what they were told to write was refused.',
      )
    },
  },

  ownUpper: {
    id: 'writes-in-upper',
    claim: 'each upper directory has what its container did, and nothing else',
    look(scene) {
      const rows = [
        { at: upperOf(scene), wanted: scene.touched },
        { at: scene.second ? upperOf(scene.second) : '', wanted: scene.touchedBySecond },
      ].map(({ at, wanted }) => ({ at, found: contents(at), wanted: wanted.toSorted() }))
      return finding(
        rows.every(({ found, wanted }) => JSON.stringify(found) === JSON.stringify(wanted)),
        rows.map(({ at, found }) => seen(at, some(found), null)),
        () =>
          misbuilt(scene) ??
          notItsOwn(scene) ??
          copiedAtStart(scene, upperOf(scene)) ??
          `Expected ${rows.map(({ wanted }) => wanted.join(' ')).join(' and ')}. Likeliest: a write was refused, or went to a mount over the layer.`,
      )
    },
  },

  untouched: {
    id: 'lower-untouched',
    claim: 'after all that, the image is the same to the last bit',
    look(scene) {
      const after = scene.lower.map(dir => treeDigest(dir).hash)
      return finding(
        changedLayers(scene).length === 0 && after.length > 0,
        scene.lower.map((dir, i) =>
          seen(dir, `before ${short(scene.before[i])}  after ${short(after[i])}`, null),
        ),
        () =>
          `Changed: ${changedLayers(scene).join(', ')}. ${misbuilt(scene) ?? 'Likeliest: by something other than these containers.'}`,
      )
    },
  },
} satisfies Record<string, Check<Stack> & { what?(scene: Stack): string }>
