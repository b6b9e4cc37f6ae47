// Lab 7: all parts together.   The tasks: minilab lab 7   Look again: minilab check 7
// At the end it is your own runtime: minilab run --mine default /bin/sh
import type { Part } from 'minilab'
import { program } from './1-cli.ts'
import { namespaces } from './2-namespaces.ts'
import { root } from './3-root.ts'
import { limits } from './4-limits.ts'
import { layers } from './5-layers.ts'
import { network } from './6-network.ts'

/** Tasks 2 to 5: what the program may do. It comes from outside, and is root in the container. */
export const hardening: Part = {
  name: 'hardening',
  inside(tape, { spec }) {
    // `spec.process` has its user and its capabilities; `spec.linux.seccomp` lists the system calls that it may make
    // TODO 2: drop all other capabilities: from the bounding set, and from its own sets
    // TODO 3: change the group, the user, and the umask. (Between the two halves of TODO 2)
    // TODO 4: no new privileges
    // TODO 5: a filter over the system calls
  },
}

/** Task 1: the parts in the order in which the child makes their calls. The alphabetical order is wrong. */
export const parts: Part[] = [hardening, layers, limits, namespaces, network, program, root]
