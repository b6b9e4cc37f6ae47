import { existsSync, readFileSync } from 'node:fs'
import { unlessGone } from '../process/procfs.ts'
import { mountinfo, mountOf } from '../mount/mountinfo.ts'

const FOLDER = '/sys/fs/cgroup'

/**
 * What to do about controllers that no mounted hierarchy has: a command to type. It mounts a v1 hierarchy if /proc/cgroups says that
 * each of them is bound to one; otherwise v2. cgroups(7).
 */
export function mountCommands(controllers: readonly string[]): string {
  const bound = parseCgroups(unlessGone(() => readFileSync('/proc/cgroups', 'utf8')) ?? '')
  const v1 = [...new Set(controllers.flatMap(name => bound.get(name) ?? []))]
  const isV2Mounted = mountinfo().some(({ type }) => type === 'cgroup2')
  // for example, Debian on a Raspberry Pi disables memory
  if (v1.length === 0 && isV2Mounted)
    return `boot the kernel with cgroup_enable=${controllers.join(',')}, or use one that has it`
  if (v1.length === 0) return `sudo mount -t cgroup2 cgroup2 ${FOLDER}`
  const mount = mountOf(FOLDER)
  return [
    ...(existsSync(FOLDER) ? [] : ['sudo mount -t sysfs sysfs /sys']),
    ...(mount?.target === FOLDER && mount.type === 'tmpfs' ? [] : [`sudo mount -t tmpfs cgroup ${FOLDER}`]),
    `for c in ${v1.join(' ')}; do sudo mkdir -p ${FOLDER}/$c && sudo mount -t cgroup -o $c cgroup ${FOLDER}/$c; done`,
  ].join(' && ')
}

/** For each v1 controller, all those that share its hierarchy: `cpu,cpuacct`. The kernel lets them be mounted only together. */
function parseCgroups(text: string): Map<string, string> {
  const rows = text
    .split('\n')
    .filter(line => line && !line.startsWith('#'))
    .map(line => line.split('\t') as [name: string, hierarchy: string])
  const together = (id: string) => rows.filter(([, other]) => other === id).map(([name]) => name)
  return new Map(rows.filter(([, id]) => id !== '0').map(([name, id]) => [name, together(id).join(',')]))
}
