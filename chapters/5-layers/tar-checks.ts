import { createReadStream, openSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { extract } from 'tar-stream'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check } from '../../lib/guide/step.ts'
import { treeDigest } from '../../lib/image/tree-digest.ts'
import { mountinfo } from '../../lib/kernel/mountinfo.ts'
import { short, upperOf } from './readings.ts'
import type { Stack } from './step.ts'

/** A layer packed and unpacked: the tar, the tree, and what a container sees on top of it. */
export const tarChecks = {
  tar: {
    id: 'oci-whiteouts',
    claim: 'in the tar, deletions are empty files named `.wh.…`',
    async look(scene) {
      const names = await namesIn(scene.tar)
      const wanted = marks(upperOf(scene))
      const found = names.filter(name => name.includes('.wh.'))
      return finding(
        wanted.length > 0 && JSON.stringify(found.toSorted()) === JSON.stringify(wanted),
        [
          seen('the entries of layer.tar', names.filter(name => !found.includes(name)).join(' '), null),
          seen('… and its whiteouts', found.join(' ') || 'none', null),
        ],
        `Expected ${wanted.join(' ')}. Likeliest: the upper directory was packed by plain tar, which keeps the device 0:0 and loses the attribute.`,
      )
    },
  },

  sameTree: {
    id: 'same-tree',
    claim: 'unpacked again, it is the same tree',
    look(scene) {
      const [packed, unpacked] = [treeDigest(upperOf(scene)), treeDigest(scene.unpacked)]
      const different = unpacked.entries.filter(
        (entry, i) => JSON.stringify(entry) !== JSON.stringify(packed.entries[i]),
      )
      return finding(
        packed.hash === unpacked.hash,
        [
          seen(
            'digest of the upper directory',
            `${packed.entries.length} entries, ${short(packed.hash)}`,
            null,
          ),
          seen(
            'digest of the unpacked one',
            `${unpacked.entries.length} entries, ${short(unpacked.hash)}`,
            null,
          ),
        ],
        `Different: ${different[0]?.path ?? 'something is missing'}. Likeliest: whiteouts were not turned back into devices, or owners and modes were lost.`,
      )
    },
  },

  sameView: {
    id: 'same-view',
    claim: 'on top of the image, it gives a third container the same view as the first',
    look(scene) {
      const [first, third] = [view(scene, scene.pid), view(scene, scene.third?.pid)]
      return finding(
        first.hash === third.hash && first.files > 0,
        [
          seen(
            `/proc/${scene.pid}/root/{${first.names}}`,
            null,
            `${first.files} files, ${short(first.hash)}`,
          ),
          seen(
            `/proc/${scene.third?.pid}/root/{${third.names}}`,
            null,
            `${third.files} files, ${short(third.hash)}`,
          ),
        ],
        'Likeliest: the layers are in the wrong order (topmost first), or an opaque directory was marked for the other kind of overlay: trusted.overlay.opaque is not looked at where userxattr is.',
      )
    },
  },
} satisfies Record<string, Check<Stack>>

/** The names that stand in a tar for an upper directory's whiteouts and opaque directories: image-spec, layer.md. */
function marks(upper: string): string[] {
  return treeDigest(upper)
    .entries.flatMap(({ path, rdev, opaque }) => {
      if (opaque) return [join(path, '.wh..wh..opq')]
      return rdev === '0:0' ? [path.replace(/[^/]*$/, '.wh.$&')] : []
    })
    .sort()
}

async function namesIn(tar: string): Promise<string[]> {
  const names: string[] = []
  for await (const entry of createReadStream('', { fd: openSync(tar, 'r') }).pipe(extract())) {
    names.push(entry.header.name)
    entry.resume()
  }
  return names
}

/** What a container sees of the directories in which the first has changed something; all others are the image's. */
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
