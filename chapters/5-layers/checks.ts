import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check, Scene } from '../../lib/guide/step.ts'
import { treeDigest } from '../../lib/image/tree-digest.ts'
import { readXattrs } from '../../lib/image/xattr.ts'
import { mountinfo } from '../../lib/kernel/mount/mountinfo.ts'
import { copiedAtStart, misbuilt, notInUpper, notItsOwn, otherUpper } from './causes.ts'
import {
  below,
  changedLayers,
  contents,
  copiesOf,
  describe,
  directories,
  entries,
  inside,
  rootMount,
  short,
  some,
  text,
  upperOf,
} from './readings.ts'
import type { Stack } from './step.ts'
import { tarChecks } from './tar-checks.ts'
import { counted } from '../../lib/guide/text.ts'

/** overlayfs.rst, "whiteouts and opaque directories" */
const WHITEOUT = 'character device 0:0'

/** What `ls` prints, in one line. */
const words = (text: string) => text.replaceAll('\n', ' ') || '(empty)'

/** Whether a stack of lower directories is not the image, but the same as it. */
function isCopy({ before }: Stack, dirs: readonly string[]): boolean {
  const hashes = dirs.map(dir => existsSync(dir) && treeDigest(dir).hash)
  return JSON.stringify(hashes) === JSON.stringify(before)
}

export const checks = {
  overlay: {
    id: 'overlay-root',
    claim: 'its `/` is an overlay: the image below, a directory of its own above',
    look(scene) {
      const { pid, lower, folder } = scene
      const top = rootMount(pid)
      const stack = directories(top, 'lowerdir')
      const [above] = directories(top, 'upperdir')
      return finding(
        top?.type === 'overlay' && stack.join(':') === lower.join(':') && above === upperOf({ folder }),
        [
          seen(`/proc/${pid}/mountinfo (/)`, rootMount()?.type ?? 'none', top?.type ?? 'none'),
          seen('its lowerdir', null, stack.join(':') || 'none'),
          seen('its upperdir', null, above ?? 'none'),
        ],
        () =>
          misbuilt(scene) ??
          (stack.join(':') === lower.join(':') ? otherUpper(scene) : undefined) ??
          (isCopy(scene, stack)
            ? 'It stands on a copy of the image: the image was copied for each container in place of being shared.'
            : `Expected ${lower.join(':')} under ${folder}/upper. Likeliest: the layers are in the wrong order (topmost first).`),
      )
    },
  },

  hidden: {
    id: 'overlay-hidden',
    claim: 'the host has no such mount: where the container sees its root, the host sees an empty directory',
    async look(scene) {
      const top = rootMount(scene.pid)
      const mounts = (who: number | 'self') =>
        mountinfo(who).filter(m => m.type === 'overlay' && m.device === top?.device).length
      const merged = entries(scene.rootfs).length
      const container = (await inside(scene, 'echo /*')).split(' ').length
      return finding(
        mounts('self') === 0 && mounts(scene.pid) > 0 && merged === 0,
        [
          seen('mountinfo (mounts of this overlay)', mounts('self') || 'none', mounts(scene.pid) || 'none'),
          seen(`${scene.rootfs}, echo /*`, counted(merged, 'entry'), counted(container, 'entry')),
        ],
        () =>
          mounts(scene.pid) === 0
            ? `There is no such mount in the container either. ${misbuilt(scene)}`
            : mounts('self')
              ? 'It is mounted on the host as well: by the parent, before the clone, in place of by the child.'
              : 'Something was written to the merged directory on the host, where nothing is mounted: the container never sees it.',
      )
    },
  },

  empty: {
    id: 'upper-empty',
    claim: 'it has started and written nothing: its own layer is empty',
    look(scene) {
      const image = scene.lower.flatMap(contents).length
      const own = contents(upperOf(scene))
      return finding(
        own.length === 0 && image > 0,
        [
          seen(
            `${scene.lower.length} lower director${scene.lower.length === 1 ? 'y' : 'ies'}`,
            counted(image, 'file'),
            null,
          ),
          seen(`${upperOf(scene)}`, counted(own.length, 'file'), null),
        ],
        () =>
          `There is already ${some(own)}. ${copiedAtStart(scene, upperOf(scene)) ?? 'Likeliest: something wrote to the new root before it had /dev, /proc and its other mounts.'}`,
      )
    },
  },

  copyUp: {
    id: 'copy-up',
    claim: 'the changed file was copied to its own layer, whole',
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
          `The image was written to. ${misbuilt(scene) ?? 'Likeliest: by something else than this container.'}`,
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
              ? `It is still there. ${misbuilt(scene) ?? 'Likeliest: it was to be deleted in the upper directory, where it never was, and not in the container.'}`
              : (notInUpper(scene) ??
                'Likeliest: the mark was removed from the upper directory behind overlay’s back.'),
      )
    },
  },

  opaque: {
    id: 'opaque',
    claim: 'the new directory shows nothing of the old one: it is marked opaque',
    async look(scene) {
      const made = join(upperOf(scene), 'var')
      const xattrs = existsSync(made) ? [...readXattrs(made)] : []
      const [name = 'overlay.opaque', value] = xattrs.find(([n]) => n.endsWith('.overlay.opaque')) ?? []
      const image = entries(below(scene, 'var')).join(' ')
      const container = await inside(scene, 'ls /var')
      return finding(
        value?.toString() === 'y' && container === 'new' && image !== '',
        [
          seen('var in the image, ls /var inside', words(image), words(container)),
          seen(`getxattr of var in upper`, `${name} = ${value?.toString() ?? 'not set'}`, null),
        ],
        () =>
          misbuilt(scene) ??
          notInUpper(scene) ??
          (value
            ? 'It is marked, but entries of the image show. Likeliest: the mark is not of the kind that this overlay looks at.'
            : 'It has no mark, so the two are merged. Likeliest: the new directory was made in the upper directory behind overlay’s back.'),
      )
    },
  },

  shared: {
    id: 'shared-lower',
    claim: 'both read the same files of the image, the very same inodes',
    look(scene) {
      const { pid, second } = scene
      // overlayfs.rst, "Inode properties": with all layers on one file system st_ino is that of the file underneath
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
            ? 'They stand on different directories: the image was copied for each container in place of being shared.'
            : `One of them has a copy of its own. ${copiedAtStart(scene, upperOf(scene)) ?? ''}`),
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
          seen('ls /root in the first', null, words(first)),
          seen('ls /root in the second', null, words(second)),
        ],
        () => misbuilt(scene) ?? notItsOwn(scene) ?? 'Likeliest: what they were told to write was refused.',
      )
    },
  },

  ownUpper: {
    id: 'writes-in-upper',
    claim: 'all that each has done is in its own upper directory, and nothing else is',
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
          `Changed: ${changedLayers(scene).join(', ')}. ${misbuilt(scene) ?? 'Likeliest: by something else than these containers.'}`,
      )
    },
  },

  ...tarChecks,
} satisfies Record<string, Check<Stack> & { what?(scene: Scene & Stack): string }>
