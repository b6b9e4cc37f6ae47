import { existsSync, readdirSync } from 'node:fs'
import { certain } from '../../lib/common/certain.ts'
import { isFolder, isWritable, notReadOnly, size } from '../../chapters/3-root/content-checks.ts'
import type { Roots } from '../../chapters/3-root/step.ts'
import type { Spec } from '../../lib/container/spec.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check } from '../../lib/guide/step.ts'
import { counted } from '../../lib/guide/text.ts'

/** What every /proc has, and what is never empty; no engine covers it. */
const FILES = ['/proc/filesystems', '/proc/devices', '/proc/misc', '/proc/version', '/proc/cmdline']
const FOLDERS = ['/proc/tty', '/proc/fs', '/proc/driver', '/proc/irq', '/proc/sysvipc']

const oneOf = (paths: string[]) => certain(paths[Math.floor(Math.random() * paths.length)])

/** Two more paths to cover, a file and a directory, others each time. */
export function moreMasks(): { masks(spec: Spec): void; asked: Check<Roots> } {
  const isFull = (path: string) => existsSync(path) && readdirSync(path).length > 0
  const paths = [oneOf(FILES.filter(path => existsSync(path))), oneOf(FOLDERS.filter(isFull))]
  return {
    masks: ({ linux }) => void (linux.maskedPaths = [...(linux.maskedPaths ?? []), ...paths]),
    asked: {
      id: 'masked-as-asked',
      claim: 'all that the specification lists is covered',
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
              ? `${first} is in spec.linux.maskedPaths this time, and can be read: it is a directory, and a directory is covered by a tmpfs, wherever it lies.`
              : `${open.join(', ')} is in spec.linux.maskedPaths this time, and can be read: the list of what is covered is another than that of the specification.`,
        )
      },
    },
  }
}
