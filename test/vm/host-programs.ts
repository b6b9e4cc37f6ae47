import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { VmProblem } from './problem.ts'
import { isRoot } from './as-root.ts'
import type { Machine } from './machines.ts'

/** The Debian package of each program that is needed on the host. */
function needed({ qemu, user, arch }: Machine): [program: string, packageName: string][] {
  const foreign: [string, string][] = [
    [`qemu-${user}-static`, 'qemu-user-static'],
    ['arch-test', 'arch-test'],
  ]
  return [
    ['mmdebstrap', 'mmdebstrap'],
    ['mke2fs', 'e2fsprogs'],
    ['setpriv', 'util-linux'],
    [qemu.program, qemu.package],
    ...(arch === process.arch ? [] : foreign),
  ]
}

const path = ['/usr/local/sbin', '/usr/sbin', '/sbin', ...(process.env.PATH ?? '').split(':')]

/** Installs what is missing, as root; otherwise says what to install. */
export function needPrograms(machine: Machine): void {
  const lacking = () =>
    needed(machine).filter(([program]) => !path.some(folder => existsSync(`${folder}/${program}`)))
  const packages = lacking().map(([, name]) => name)
  if (packages.length === 0) return
  const install = ['apt-get', 'install', '--no-install-recommends', ...packages]
  if (!isRoot) throw new VmProblem(`missing here: sudo ${install.join(' ')}`)
  console.log(`installing ${packages.join(', ')}`)
  for (const [command = '', ...args] of [
    ['apt-get', 'update'],
    [...install, '--yes'],
  ])
    spawnSync(command, [...args, '-qq'], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    })
  if (lacking().length > 0) throw new VmProblem(`apt-get did not install all of: ${packages.join(' ')}`)
}
