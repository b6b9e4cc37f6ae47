import { existsSync } from 'node:fs'
import type { Roots } from '../../chapters/3-root/step.ts'
import type { Spec } from '../../lib/container/spec.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check } from '../../lib/guide/step.ts'

/** Files that every /proc has, and that are never empty; no engine covers them. */
const CANDIDATES = ['/proc/filesystems', '/proc/devices', '/proc/misc', '/proc/version', '/proc/cmdline']

/** One more path to cover, another one each time. */
export function anotherMask(): { masks(spec: Spec): void; asked: Check<Roots> } {
  const there = CANDIDATES.filter(path => existsSync(path))
  const path = there[Math.floor(Math.random() * there.length)]!
  return {
    masks: ({ linux }) => void (linux.maskedPaths = [...(linux.maskedPaths ?? []), path]),
    asked: {
      id: 'masked-as-asked',
      claim: 'all that the specification lists is covered',
      async look({ shell }) {
        const { output } = await shell.run(`cat ${path} | wc -c`)
        const bytes = Number(output.trim().split('\n').at(-1))
        return finding(
          bytes === 0,
          seen(path, null, `${bytes} bytes`),
          `${path} is in spec.linux.maskedPaths this time, and can be read: the list of what is covered is another than that of the specification.`,
        )
      },
    },
  }
}
