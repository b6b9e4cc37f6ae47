import { statSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { errnoName } from '../../../common/errno.ts'
import { PTRACE_SEIZE } from '../../../kernel/syscalls/constants.ts'
import { type Attack, gotThrough, stopped } from '../attack.ts'
import { printedCall, telling } from '../printed-call.ts'
import { victim } from '../victim.ts'

export const kill: Attack = {
  id: 'kill',
  title: 'kill a process of the host',
  tries: 'It sends SIGKILL to a process of the host, by the number that this one has there.',
  async act(target) {
    await using other = await victim()
    const { calls, box } = await target.make(tape => tape.attempt.kill(other.pid, constants.signals.SIGKILL))
    await box.end()
    const call = telling(calls, 'kill')
    const signal = await other.ended(call.errno === null)
    if (signal)
      return gotThrough(`${printedCall(call)}; process ${other.pid} of the host was ended by ${signal}`)
    return stopped(`${printedCall(call)}; process ${other.pid} of the host lives: ${other.field('State')}`)
  },
}

export const ptrace: Attack = {
  id: 'ptrace',
  title: 'trace a process of the host',
  tries:
    'It attaches to a process of the host as a debugger does. A debugger reads and writes the memory of what it traces.',
  async act(target) {
    await using other = await victim()
    // a tracer stays attached through its own execve, and detaches when it ends
    const { calls, box } = await target.make(tape => tape.attempt.ptrace(PTRACE_SEIZE, other.pid, 0, 0), {
      thenRun: true,
    })
    const tracer = other.field('TracerPid')
    await box.end()
    const what = `${printedCall(telling(calls, 'ptrace'))}; /proc/${other.pid}/status (TracerPid) on the host: ${tracer}`
    return tracer === '0' ? stopped(what) : gotThrough(`${what}, the container's program`)
  },
}

/** The script's exit status is this plus the number of access(2)'s error. */
const ASKED = 100

/**
 * JavaScript that runs in whichever Node `/proc/self/exe` is. It asks for write access but never opens the file for writing; it
 * ends with its stdin.
 */
const SCRIPT = `#!/proc/self/exe
const fs = require('node:fs')
let errno = 0
try { fs.accessSync('/proc/self/exe', fs.constants.W_OK) } catch (error) { errno = -error.errno }
fs.readSync(0, Buffer.alloc(1))
process.exit(${ASKED} + errno)
`

export const runtime: Attack = {
  id: 'runtime',
  title: 'overwrite the runtime',
  tries:
    "Its entry point is a script that begins with `#!/proc/self/exe`: so it is the runtime's own program that starts in the container, where it asks whether it may be written to. With that, runc's file was replaced on hosts (CVE-2019-5736).",
  async act(target) {
    const { image } = target.host
    const name = 'entry-point.js' // the suffix spares Node from guessing the format
    writeFileSync(join(image, name), SCRIPT, { mode: 0o755 })
    const box = await target.start({ args: [target.seesHost ? join(image, name) : `/${name}`] })
    const isOurs = isOurProgram(box.pid)
    box.shell.end()
    const exit = await box.child?.exit
    await box.end()
    const errno = (exit?.status ?? -1) - ASKED
    if (isOurs && errno >= 0) {
      const what = `/proc/${box.pid}/exe is the host's ${process.argv0.replace(/.*\//, '')}; access("/proc/self/exe", W_OK) = `
      return errno === 0 ? gotThrough(`${what}0`) : stopped(`${what}-1 ${errnoName(errno)}`)
    }
    if (isOurs || exit?.status !== EMPTY)
      throw new Error(`the attack was not made: isOurs=${isOurs}, ${JSON.stringify(exit)}`)
    return stopped(
      "the runtime's program there is its second stage, a sealed file in memory, and has nothing to do without its tape: exit status 127",
    )
  },
}

/** The exit status of a second stage that gets no tape: launchpad.*.S. */
const EMPTY = 127

/** Whether a process runs the same program as we do. A process that has ended has none. */
function isOurProgram(pid: number): boolean {
  const theirs = statSync(`/proc/${pid}/exe`, { throwIfNoEntry: false })
  const ours = statSync('/proc/self/exe')
  return theirs?.ino === ours.ino && theirs.dev === ours.dev
}
