import { existsSync, readdirSync } from 'node:fs'
import { certain } from '../../lib/common/certain.ts'
import { isFolder, isWritable, notReadOnly, size } from '../../chapters/3-root/content-checks.ts'
import type { Roots } from '../../chapters/3-root/step.ts'
import type { Spec } from '../../lib/container/spec.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check } from '../../lib/guide/step.ts'
import { counted } from '../../lib/guide/text.ts'

/** Paths that every /proc has and that are never empty; no engine masks them. */
const FILES = ['/proc/filesystems', '/proc/devices', '/proc/misc', '/proc/version', '/proc/cmdline']
const FOLDERS = ['/proc/tty', '/proc/fs', '/proc/driver', '/proc/irq', '/proc/sysvipc']

const oneOf = (paths: string[]) => certain(paths[Math.floor(Math.random() * paths.length)])

/** Two more paths to mask, a file and a directory, different each time. */
export function moreMasks(): { masks(spec: Spec): void; asked: Check<Roots> } {
  const isFull = (path: string) => existsSync(path) && readdirSync(path).length > 0
  const paths = [oneOf(FILES.filter(path => existsSync(path))), oneOf(FOLDERS.filter(isFull))]
  return {
    masks: ({ linux }) => void (linux.maskedPaths = [...(linux.maskedPaths ?? []), ...paths]),
    asked: {
      id: 'masked-as-asked',
      claim: 'every path that the specification lists is masked',
      async look(scene) {
        const sizes = await Promise.all(paths.map(async path => [path, await size(scene, path)] as const))
        const open = sizes.filter(([, amount]) => amount > 0).map(([path]) => path)
        const writable = paths.filter(path => isWritable(scene.pid, path))
        const [first = ''] = open
        return finding(
          open.length + writable.length === 0,
          sizes.map(([path, amount]) => seen(path, null, counted(amount, isFolder(path) ? 'entry' : 'byte'))),
          open.length === 0
            ? notReadOnly(writable)
            : open.length === 1 && isFolder(first)
              ? `${first} is in spec.linux.maskedPaths this time, but can be read: it is a directory, and a directory is masked with a tmpfs, wherever it is.`
              : `${open.join(', ')} is in spec.linux.maskedPaths this time, but can be read: the list of masked paths is not that of the specification.`,
        )
      },
    },
  }
}
