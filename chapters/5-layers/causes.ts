import { lstatSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Scene } from '../../lib/guide/step.ts'
import { treeDigest, type TreeEntry } from '../../lib/image/tree-digest.ts'
import { namespaceInode } from '../../lib/kernel/process/procfs.ts'
import { below, contents, directories, entriesOfTar, rootMount, upperOf } from './readings.ts'
import type { Stack } from './step.ts'

// Why a layer is wrong, as far as the kernel and the files show it. Each function returns undefined when its subject is right.

type Own = Scene & Stack

/** The diagnosis if the mount is wrong, on which everything else depends. */
export function misbuilt({ pid, lower }: Own): string | undefined {
  const top = rootMount(pid)
  if (top?.type !== 'overlay') {
    const image = lower.find(dir => statSync(dir).ino === statSync(`/proc/${pid}/root`).ino)
    return image
      ? 'Its root is the image itself, without an overlay over it: everything that it writes goes there.'
      : 'Its root is a plain directory, without an overlay over it.'
  }
  if (directories(top, 'upperdir').some(dir => lower.includes(dir)))
    return 'Upper and lower are swapped: the image is the upperdir, which takes every write.'
  if ([...top.options, ...top.superOptions].includes('ro'))
    return 'The overlay is mounted read-only: the container can write nothing.'
  const inUserNamespace = namespaceInode(pid, 'user') !== namespaceInode('self', 'user')
  if (inUserNamespace && !top.superOptions.includes('userxattr'))
    return 'The overlay was mounted in a user namespace without userxattr, so it cannot mark a directory opaque.'
  return undefined
}

/** The diagnosis if the container writes to a directory other than the requested one. */
export function otherUpper({ pid, folder }: Own): string | undefined {
  const [above = 'none'] = directories(rootMount(pid), 'upperdir')
  const wanted = upperOf({ folder })
  return above === wanted
    ? undefined
    : `Its upperdir is ${above}. The checks look in ${wanted} for what it writes.`
}

/** Why the upper directory is empty on the host, though the container has written. */
export function notInUpper({ folder, touched }: Own): string | undefined {
  if (touched.length === 0 || contents(upperOf({ folder })).length > 0) return undefined
  return 'Nothing that the container writes is in upper on the host. Likeliest: the child mounted another file system over it.'
}

/** What the second container has that only the first should have. */
export function notItsOwn({ pid, second }: Own): string | undefined {
  const [first, other] = [rootMount(pid), rootMount(second?.pid)]
  const [upper = ''] = directories(first, 'upperdir')
  if (directories(other, 'upperdir').includes(upper)) return 'Both have the same upper directory.'
  if (directories(other, 'lowerdir').includes(upper))
    return 'The upper directory of the first is a lower layer of the second: a running container was taken for an image.'
  return undefined
}

/** Why a container's own layer has files of the image before the container has changed any. */
export function copiedAtStart(scene: Own, upper: string): string | undefined {
  const image = scene.lower.flatMap(contents)
  const copies = contents(upper).filter(path => image.includes(path) && !scene.touched.includes(path))
  if (copies.length === 0) return undefined
  if (image.every(path => copies.includes(path) || scene.touched.includes(path)))
    return 'The image was copied to the upper directory before the start.'
  const isSameSize = (path: string) =>
    lstatSync(join(upper, path)).size === lstatSync(below(scene, path)).size
  return copies.some(isSameSize)
    ? `A program of the image was touched at the start (chmod, chown): changing only the mode still copies all of ${copies[0]}.`
    : `At the start it changed ${copies[0]}.`
}

/** What a layer has lost on its way through the tar. */
export async function lost(scene: Own): Promise<string | undefined> {
  const inTar = await entriesOfTar(scene.tar)
  const packed = treeDigest(upperOf(scene)).entries
  const unpacked = treeDigest(scene.unpacked).entries
  const opaque = packed.find(entry => entry.opaque)
  if (inTar.some(({ type }) => type === 'character-device'))
    return 'It was packed by plain tar, which keeps the device 0:0 but loses the attribute of the opaque directory.'
  if (opaque && !inTar.some(({ name }) => name.endsWith('/.wh..wh..opq')))
    return `It was copied without extended attributes before it was packed, so the mark that ${opaque.path} is opaque was lost.`
  if (unpacked.some(({ path }) => /(^|\/)\.wh\./.test(path)))
    return 'It was unpacked by plain tar, which treats a file .wh.… like any other file.'
  if (packed.some(({ path, rdev }) => rdev === '0:0' && !unpacked.some(entry => entry.path === path)))
    return 'Its whiteouts were left out when it was unpacked, as if there were no layer below.'
  for (const before of packed) {
    const after = unpacked.find(({ path }) => path === before.path)
    if (after && owner(after) !== owner(before))
      return `Modes or owners were lost: ${before.path || '/'} was ${owner(before)}, and is ${owner(after)}.`
  }
  return undefined
}

const owner = ({ mode, uid, gid }: TreeEntry) => `${mode} ${uid}:${gid}`
