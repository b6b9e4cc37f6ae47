import type { Attack } from './attack.ts'
import { group, stdin, typing } from './attacks/caller.ts'
import { chroot, descriptor, disk, image, procRoot } from './attacks/files.ts'
import { module_, sysrq } from './attacks/kernel.ts'
import { neighbour } from './attacks/network.ts'
import { kill, ptrace, runtime } from './attacks/processes.ts'
import { forks, memory, raise } from './attacks/resources.ts'

/** All attacks, in the order of the matrix. */
export const attacks: readonly Attack[] = [
  chroot,
  kill,
  procRoot,
  disk,
  raise,
  forks,
  memory,
  image,
  neighbour,
  module_,
  ptrace,
  sysrq,
  descriptor,
  typing,
  group,
  stdin,
  runtime,
]
