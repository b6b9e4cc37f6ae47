import { join } from 'node:path'
import { cgroupOf } from '../../../kernel/cgroup/cgroup.ts'
import { hierarchyOf, readCgroup } from '../../../kernel/cgroup/cgroupfs.ts'
import { AT_FDCWD, O_WRONLY } from '../../../kernel/syscalls/constants.ts'
import { readControl } from '../../../kernel/cgroup/control-file.ts'
import { pids, unlessGone, nulSeparated } from '../../../kernel/process/procfs.ts'
import { until } from '../../../common/until.ts'
import { limits } from '../../../container/parts/limits.ts'
import { type Attack, cannotTell, gotThrough, stopped } from '../attack.ts'
import { printedCall, telling } from '../printed-call.ts'
import { MEMORY, PROCESSES } from '../target.ts'

const MiB = 2 ** 20

export const raise: Attack = {
  id: 'raise-limit',
  title: 'raise its own limits',
  tries: `It mounts the cgroup file system, in which its limits are files, and writes a larger one for its memory than the ${MEMORY / MiB} MiB that it may have.`,
  async act(target) {
    if (target.unlimited) return cannotTell(target.unlimited)
    if (!target.has(limits)) {
      const box = await target.start()
      const [its, ours] = [box.pid, process.pid].map(pid => cgroupOf(pid).controller('memory')?.path)
      await box.end()
      if (its !== ours) throw new Error(`without the limits part it is in ${its}, and we in ${ours}`)
      return gotThrough(
        `there is none to raise: it is in the cgroup of the process that started it${its ? `, ${its}` : ''}`,
      )
    }
    const hierarchy = hierarchyOf('memory')
    const mountPoint = join(target.scratch, 'cgroup')
    const [type, data, files] =
      hierarchy?.version === 1
        ? [
            'cgroup',
            hierarchy.controllers.join(','),
            ['memory.memsw.limit_in_bytes', 'memory.limit_in_bytes'],
          ]
        : ['cgroup2', null, ['memory.max']]
    const { calls, box } = await target.make(tape => {
      tape.attempt.mkdirat(AT_FDCWD, mountPoint, 0o700)
      tape.attempt.mount('cgroup', mountPoint, type, 0, data)
      for (const file of files) {
        const value = Buffer.from(String(8 * MEMORY))
        tape.attempt.write(
          tape.attempt.openat(AT_FDCWD, join(mountPoint, file), O_WRONLY, 0),
          value,
          value.length,
        )
      }
    })
    const file = join(box.container.cgroup?.controller('memory')?.path ?? '', files.at(-1) ?? '')
    const limit = Number(readControl(file)) / MiB
    await box.end()
    // only the last file may be missing: it exists only where the kernel counts swap
    const told = calls.filter(({ call }) => call !== 'mkdirat')
    const last =
      told
        .slice(0, 1)
        .concat(told.slice(-2))
        .find(({ errno }) => errno !== null) ?? telling(calls, 'mount')
    const what = `${printedCall(last)}; on the host ${files.at(-1)} says ${limit} MiB`
    return limit === MEMORY / MiB ? stopped(what) : gotThrough(what)
  },
}

const FORKS = 60
const PROCESSES_TIMEOUT = 5000 // ms to wait for processes that are still starting

export const forks: Attack = {
  id: 'fork-bomb',
  title: 'start processes without end',
  tries: `A loop starts one process after the other, until the machine's table has no room for another process. (Here it gives up after ${FORKS}.)`,
  async act(target) {
    if (target.unlimited) return cannotTell(target.unlimited)
    // an unusual number, which identifies these processes in /proc
    const seconds = String(1_000_000 + process.pid * 10 + target.number)
    const box = await target.start()
    try {
      // in its own shell, which may give up when a fork is refused
      const loop = `(i=0; while [ $i -lt ${FORKS} ]; do sleep ${seconds} & i=$((i + 1)); done)`
      await box.shell.run(loop)
      const refusedForks = target.has(limits) ? readCgroup(box.pid, 'pidsRefused') : undefined
      const current = readCgroup(box.pid, 'pidsCurrent')
      if (refusedForks && Number(refusedForks.value) > 0)
        return stopped(`pids.events on the host: refused, ${current?.value} of at most ${PROCESSES} run`)
      await until(() => sleepers(seconds).length === FORKS, PROCESSES_TIMEOUT)
      return gotThrough(`the host counts ${sleepers(seconds).length} new processes`)
    } finally {
      await box.end()
      // in a pid namespace they ended with its first process
      for (const pid of sleepers(seconds)) process.kill(pid, 'SIGKILL')
      await until(() => sleepers(seconds).length === 0, PROCESSES_TIMEOUT)
    }
  },
}

function sleepers(seconds: string): number[] {
  const command = `sleep ${seconds}`
  return pids().filter(pid => unlessGone(() => nulSeparated(`/proc/${pid}/cmdline`).join(' ')) === command)
}

const HOG = 128 // MiB

export const memory: Attack = {
  id: 'memory',
  title: 'use memory without end',
  tries: `It fills its memory, until the kernel has to take some from others, or to end a process. (Here it gives up at ${HOG} MiB; ${MEMORY / MiB} are its share.)`,
  async act(target) {
    if (target.unlimited) return cannotTell(target.unlimited)
    const box = await target.start()
    const { status } = await box.shell.run(`dd if=/dev/zero of=/dev/null bs=${HOG}M count=1`)
    const kills = target.has(limits) ? readCgroup(box.pid, 'oomKills') : undefined
    await box.end()
    if (status === 0) return gotThrough(`dd has filled ${HOG} MiB, status 0`)
    return stopped(`dd was killed, status ${status}; oom_kill of its cgroup on the host: ${kills?.value}`)
  },
}
