import { existsSync } from 'node:fs'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check, Scene } from '../../lib/guide/step.ts'
import { treeDigest } from '../../lib/image/tree-digest.ts'
import { mountinfo } from '../../lib/kernel/mount/mountinfo.ts'
import { copiedAtStart, misbuilt, otherUpper } from './causes.ts'
import { changeChecks } from './change-checks.ts'
import { contents, directories, entries, inside, rootMount, some, upperOf } from './readings.ts'
import { sharingChecks } from './sharing-checks.ts'
import type { Stack } from './step.ts'
import { tarChecks } from './tar-checks.ts'
import { counted } from '../../lib/guide/text.ts'

/** Whether the lower directories are not the image itself, but have the same content. */
function isCopy({ before }: Stack, dirs: readonly string[]): boolean {
  const hashes = dirs.map(dir => existsSync(dir) && treeDigest(dir).hash)
  return JSON.stringify(hashes) === JSON.stringify(before)
}

export const checks = {
  overlay: {
    id: 'overlay-root',
    claim: 'its `/` is an overlay: the image below, its own directory above',
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
            ? 'It uses a copy of the image: the image was copied for each container instead of being shared.'
            : `Expected ${lower.join(':')} under ${folder}/upper. Likeliest: the layers are in the wrong order (topmost first).`),
      )
    },
  },

  hidden: {
    id: 'overlay-hidden',
    claim: 'the host has no such mount: it sees an empty directory where the container sees its root',
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
              ? 'It is mounted on the host as well: the parent mounted it before the clone, and not the child.'
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

  ...changeChecks,
  ...sharingChecks,
  ...tarChecks,
} satisfies Record<string, Check<Stack> & { what?(scene: Scene & Stack): string }>
