import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf } from '../../common/error-code.ts'
import { MinilabError } from '../../common/errors.ts'
import { CGROUP_MOUNT, defaultSpec } from '../../container/default-spec.ts'
import type { Call } from '../commands.ts'

export function run({ flags }: Call): void {
  const rootless = flags.has('rootless')
  const spec = defaultSpec('rootfs', ['sh'], rootless)
  spec.process.terminal = true
  spec.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 1024 }]
  spec.root.readonly = true
  spec.linux.namespaces = spec.linux.namespaces.filter(
    ({ type }) => type !== 'time' && (rootless || type !== 'user'),
  )
  if (!rootless) {
    delete spec.linux.uidMappings
    delete spec.linux.gidMappings
    spec.mounts.push(CGROUP_MOUNT)
  }
  try {
    writeFileSync(join(flags.value('bundle') ?? '.', 'config.json'), `${JSON.stringify(spec, null, 2)}\n`, {
      flag: 'wx',
      mode: 0o666,
    })
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
    throw new MinilabError('usage', 'file config.json exists', 'remove it first')
  }
}
