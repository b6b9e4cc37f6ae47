import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check } from '../../lib/guide/step.ts'
import { treeDigest } from '../../lib/image/tree-digest.ts'
import { mountinfo } from '../../lib/kernel/mount/mountinfo.ts'
import { copiedAtStart, lost, misbuilt } from './causes.ts'
import { directories, entriesOfTar, rootMount, short, upperOf } from './readings.ts'
import type { Stack } from './step.ts'
import { counted } from '../../lib/guide/text.ts'

/** What comes of packing and unpacking a layer: the tar, the tree, and a container on top of it. */
export const tarChecks = {
  tar: {
    id: 'oci-whiteouts',
    claim: 'in the tar, deletions are empty files named `.wh.…`',
    async look(scene) {
      const names = (await entriesOfTar(scene.tar)).map(({ name }) => name)
      const wanted = marks(upperOf(scene))
      const found = names.filter(name => name.includes('.wh.'))
      const ok = wanted.length > 0 && JSON.stringify(found.toSorted()) === JSON.stringify(wanted)
      return finding(
        ok,
        [
          seen('the entries of layer.tar', names.filter(name => !found.includes(name)).join(' '), null),
          seen('… and its whiteouts', found.join(' ') || 'none', null),
        ],
        ok ? '' : (misbuilt(scene) ?? (await lost(scene)) ?? `Expected ${wanted.join(' ') || 'a whiteout'}.`),
      )
    },
  },

  sameTree: {
    id: 'same-tree',
    claim: 'unpacked again, it is the same tree',
    async look(scene) {
      const [packed, unpacked] = [treeDigest(upperOf(scene)), treeDigest(scene.unpacked)]
      const different = unpacked.entries.filter(
        (entry, i) => JSON.stringify(entry) !== JSON.stringify(packed.entries[i]),
      )
      const ok = packed.hash === unpacked.hash
      return finding(
        ok,
        [
          seen(
            'digest of the upper directory',
            `${counted(packed.entries.length, 'entry')}, ${short(packed.hash)}`,
            null,
          ),
          seen(
            'digest of the unpacked tree',
            `${counted(unpacked.entries.length, 'entry')}, ${short(unpacked.hash)}`,
            null,
          ),
        ],
        ok ? '' : ((await lost(scene)) ?? `Different: ${different[0]?.path ?? 'something is missing'}.`),
      )
    },
  },

  sameView: {
    id: 'same-view',
    claim: 'on top of the image, it gives a third container the same view as the first',
    async look(scene) {
      const stack = directories(rootMount(scene.third?.pid), 'lowerdir')
      const [first, third] = [view(scene, scene.pid), view(scene, scene.third?.pid)]
      const ok = first.hash === third.hash && first.files > 0
      return finding(
        ok,
        [
          seen(
            `/proc/${scene.pid}/root/{${first.names}}`,
            null,
            `${counted(first.files, 'file')}, ${short(first.hash)}`,
          ),
          seen(
            `/proc/${scene.third?.pid}/root/{${third.names}}`,
            null,
            `${counted(third.files, 'file')}, ${short(third.hash)}`,
          ),
          seen('lowerdir of the third', null, stack.join(':') || 'none'),
        ],
        ok
          ? ''
          : (misbuilt(scene) ??
              (await lost(scene)) ??
              (scene.third && copiedAtStart(scene, upperOf(scene.third))) ??
              (stack[0] === scene.unpacked
                ? 'Likeliest: an opaque directory is marked for the other kind of overlay: with userxattr, overlay ignores trusted.overlay.opaque.'
                : 'The layers are in the wrong order: the new layer is below the image, and lowerdir has the topmost first.')),
      )
    },
  },
} satisfies Record<string, Check<Stack>>

/** The names in a tar that represent an upper directory's whiteouts and opaque directories: image-spec, layer.md. */
function marks(upper: string): string[] {
  return treeDigest(upper)
    .entries.flatMap(({ path, rdev, opaque }) => {
      if (opaque) return [join(path, '.wh..wh..opq')]
      return rdev === '0:0' ? [path.replace(/[^/]*$/, '.wh.$&')] : []
    })
    .sort()
}

/** What a container sees in the directories that the first one has changed; the others are the image's. */
function view({ folder }: Stack, pid: number | undefined): { names: string; files: number; hash: string } {
  const mounted = mountinfo(pid).map(m => m.target)
  const names = readdirSync(upperOf({ folder }), { withFileTypes: true })
    .filter(entry => entry.isDirectory() && !mounted.includes(`/${entry.name}`))
    .map(entry => entry.name)
  const trees = names.map(name => treeDigest(`/proc/${pid}/root/${name}`))
  return {
    names: names.join(),
    files: trees.flatMap(tree => tree.entries).length,
    hash: trees.map(tree => tree.hash).join(),
  }
}
