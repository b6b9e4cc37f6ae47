import { existsSync } from 'node:fs'
import { AT_FDCWD, MNT_DETACH, O_WRONLY } from '../../../kernel/syscalls/constants.ts'
import { type Attack, cannotTell, gotThrough, stopped } from '../attack.ts'
import { printedCall, telling } from '../printed-call.ts'

export const module_: Attack = {
  id: 'module',
  title: 'load a kernel module',
  tries:
    'It asks the kernel to load a module from a file. The file is empty, so that there is nothing to load: what counts is whether the kernel refuses the asker, or reads the file.',
  async act(target) {
    const { calls, box } = await target.make(tape => {
      tape.attempt.finit_module(tape.attempt.memfd_create('module', 0), '', 0)
    })
    await box.end()
    const call = telling(calls, 'finit_module')
    if (call.errno === 'EPERM') return stopped(printedCall(call))
    if (call.errno === 'ENOSYS')
      return cannotTell('this kernel was built without modules: none can be loaded')
    return gotThrough(`${printedCall(call)}: the file is no module, and the asker was not refused`)
  },
}

/** Files that control the whole machine; the second exists on every kernel. */
const SWITCHES = ['/proc/sysrq-trigger', '/proc/sys/kernel/panic']

export const sysrq: Attack = {
  id: 'sysrq',
  title: "open the kernel's switches",
  tries:
    'One letter written to /proc/sysrq-trigger restarts the machine. It takes away what hides or protects the file, opens it for writing, and closes it: nothing is ever written. (Where the kernel has none, /proc/sys/kernel/panic is taken.)',
  async act(target) {
    const path = SWITCHES.find(existsSync) ?? ''
    const cover = path.startsWith('/proc/sys/') ? '/proc/sys' : path
    const { calls, box } = await target.make(tape => {
      tape.attempt.umount2(cover, MNT_DETACH)
      tape.attempt.openat(AT_FDCWD, path, O_WRONLY, 0)
    })
    await box.end()
    const call = telling(calls, 'openat')
    // umount2(2): EINVAL means that no mount covered it; EPERM means that one did, and stays
    const uncovered = calls.filter(({ call: name, errno }) => name === 'umount2' && errno !== 'EINVAL')
    const what = [...uncovered, call].map(printedCall).join(', then ')
    return call.errno ? stopped(what) : gotThrough(what)
  },
}
