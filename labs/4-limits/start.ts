// Lab 4: how much it may use.   The tasks: minilab lab 4   Look again: minilab check 4
// A cgroup is a directory in a file system of the kernel: `mkdirSync` makes one, `writeControl(file, text)` writes to one of its files.
//
//             cgroup v1                                   cgroup v2
//   memory    memory.limit_in_bytes                       memory.max
//   swap      memory.memsw.limit_in_bytes (with memory)   memory.swap.max (swap alone)     may both be missing
//   cpu       cpu.cfs_quota_us, cpu.cfs_period_us         cpu.max: "quota period"
//   pids      pids.max                                    pids.max
//   freezer   freezer.state: FROZEN, THAWED               cgroup.freeze: 1, 0; the result: cgroup.events
import { type Part } from 'minilab'

/** Tasks 1 to 4: what a container may use. */
export const limits: Part = {
  name: 'limits',

  /** On the host, before there is a process. */
  prepare(container) {
    // `planCgroup(container)` from 'minilab' says where this machine wants a container's cgroup:
    //   .folders                 its directories, still to be made: one on v2, one for each v1 hierarchy; each has a `path`
    //   .controller('memory')    { version: 1 or 2, path }: the directory that will have that controller's files
    // `container.spec.linux.resources` has what it may use: memory and swap in bytes, quota and period in microseconds.
    // Each of them may be absent, and then there is no such limit
    // TODO 1a: plan the cgroup, and make its directories
    // TODO 2: limit memory, and swap with it
    // TODO 3: limit the CPU
    // TODO 4: limit the number of processes
  },

  /** On the host, while the child with this pid waits at its gate. `cgroup` is what was planned. */
  attach({ cgroup }, pid) {
    // TODO 1b: put it into the cgroup
  },
}

/** Task 5: stops all processes of a cgroup, or lets them go on; resolves when that is done. `path` is its freezer's directory. */
export async function freeze(
  { version, path }: { version: 1 | 2; path: string },
  frozen: boolean,
): Promise<void> {
  // TODO 5: tell the kernel, and wait until it is done (`until` from 'minilab' waits)
}
