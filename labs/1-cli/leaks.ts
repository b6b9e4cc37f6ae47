import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Experiment } from '../../lib/guide/experiment.ts'
import type { Check } from '../../lib/guide/step.ts'
import { closeSync } from 'node:fs'
import type { Part } from '../../lib/container/part.ts'
import { codeOf } from '../../lib/common/error-code.ts'
import { O_DIRECTORY, O_RDONLY, AT_FDCWD } from '../../lib/kernel/syscalls/constants.ts'
import { now } from '../../lib/kernel/syscalls/now.ts'

/** A descriptor number that nothing else uses here, and that is hard to guess. */
const FAR_AWAY = 137
/** Above the usual `ulimit -n`, which limits the numbers that a process can open. */
const BEYOND = 1500

/** Opens a directory without O_CLOEXEC, as runc did: CVE-2024-21626. Closed with the lab. */
export function leakDirectories<S>(experiment: Experiment<S>): void {
  const fd = now.openat(AT_FDCWD, '/', O_RDONLY | O_DIRECTORY, 0)
  experiment.keep(now.dup3(fd, FAR_AWAY, 0))
  try {
    experiment.keep(now.dup3(fd, BEYOND, 0))
  } catch (error) {
    if (codeOf(error) !== 'EBADF') throw error // our own limit is lower, and so is the child's
  }
  closeSync(fd)
}

/** More numbers for it in the child: 3, the first that is too much (in us it is Node's), and some that are open only in the child. */
const IN_THE_CHILD = [3, 301, 302, 303]
export const leakMore: Part = {
  name: 'leak',
  inside(tape) {
    for (const fd of IN_THE_CHILD) tape.dup3(FAR_AWAY, fd, 0)
  },
}

/** A check that we are still where we were; call it before the step begins. */
export function stayed<S>(): Check<S> {
  const before = process.cwd()
  return {
    id: 'we-stayed',
    claim: 'our own working directory has not changed',
    look() {
      const here = process.cwd()
      return finding(
        here === before,
        seen('/proc/self/cwd', here, null),
        `We were in ${before}, and are now in ${here}: process.chdir() moves the process that runs this JavaScript, which is us; the child inherits that only because it is cloned later.`,
      )
    },
  }
}
