import { closeSync, constants, openSync, readFileSync, readSync, writeFileSync } from 'node:fs'
import { constants as os } from 'node:os'
import { dirname, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { hardening } from '../../../container/parts/hardening.ts'
import { Streams } from '../../../container/streams/streams.ts'
import { codeOf } from '../../../common/error-code.ts'
import { AT_FDCWD, O_RDWR, O_TRUNC, O_WRONLY, TIOCSTI } from '../../../kernel/syscalls/constants.ts'
import { type Attack, cannotTell, gotThrough, stopped } from '../attack.ts'
import { printedCall, telling } from '../printed-call.ts'

// What a container shares with its caller: the terminal, the process group, and the files of the command line

const COMMAND = 'echo typed\n'

export const typing: Attack = {
  id: 'typing',
  title: "type into its caller's terminal",
  tries:
    'It opens /dev/tty, the terminal of its session, and puts a command into it as if it had been typed there: ioctl(TIOCSTI). A shell that waits outside would run it.',
  async act(target) {
    const terminal = openTerminal()
    if (terminal === undefined) return cannotTell('the sandbox has no terminal')
    try {
      const { calls, box } = await target.make(tape => {
        const tty = tape.attempt.openat(AT_FDCWD, '/dev/tty', O_RDWR, 0)
        for (const byte of Buffer.from(COMMAND)) tape.attempt.ioctl(tty, TIOCSTI, Uint8Array.of(byte))
      })
      await box.end()
      const [opened, typed] = [telling(calls, 'openat'), telling(calls, 'ioctl')]
      const what = printedCall(opened.errno === null ? typed : opened)
      return readWhatIsThere(terminal) === COMMAND
        ? gotThrough(`${what}; the terminal outside has the line "${COMMAND.trim()}"`)
        : stopped(`${what}; nothing was typed outside`)
    } finally {
      closeSync(terminal)
    }
  },
}

/** Opens the terminal of our session; undefined if it has none. */
function openTerminal(): number | undefined {
  try {
    return openSync('/dev/tty', constants.O_RDWR | constants.O_NONBLOCK)
  } catch (error) {
    if (codeOf(error) === 'ENXIO') return undefined
    throw error
  }
}

function readWhatIsThere(fd: number): string {
  const buffer = Buffer.alloc(100)
  try {
    return buffer.toString('utf8', 0, readSync(fd, buffer))
  } catch (error) {
    if (codeOf(error) === 'EAGAIN') return ''
    throw error
  }
}

export const group: Attack = {
  id: 'kill-group',
  title: "signal its caller's group",
  tries:
    "kill(0, …) sends a signal to every process of the caller's process group, also to those outside of its pid namespace. It sends SIGURG, which ends no process.",
  async act(target) {
    let heard = false
    const hear = () => void (heard = true)
    process.on('SIGURG', hear)
    try {
      const { calls, box } = await target.make(tape => tape.attempt.kill(0, os.signals.SIGURG))
      await box.end()
      for (let turn = 0; turn < 3; turn++) await setImmediate() // libuv delivers a signal in its next turn
      const what = printedCall(telling(calls, 'kill'))
      return heard
        ? gotThrough(`${what}; the process outside that started it was sent SIGURG`)
        : stopped(`${what}; the process outside that started it heard nothing`)
    } finally {
      process.off('SIGURG', hear)
    }
  },
}

export const stdin: Attack = {
  id: 'stdin',
  title: 'rewrite the file that is its input',
  tries:
    'Its stdin is a file of the host, which was opened for reading. Through /proc/self/fd/0 it opens that file again, for writing, and empties it.',
  async act(target) {
    const file = join(dirname(target.host.secret), 'input')
    writeFileSync(file, 'input', { mode: 0o644 })
    const descriptor = openSync(file, 'r')
    // as `minilab run -i` does with the parts of chapter 7
    const streams = target.has(hardening)
      ? new Streams({ interactive: true, from: [descriptor, 2, 2] })
      : undefined
    const [input = descriptor] = streams?.stdio ?? []
    try {
      const { calls, box } = await target.make(
        tape => tape.attempt.openat(AT_FDCWD, '/proc/self/fd/0', O_WRONLY | O_TRUNC, 0),
        { input: Number(input) },
      )
      await box.end()
      const what = printedCall(telling(calls, 'openat'))
      const left = readFileSync(file, 'utf8')
      return left === ''
        ? gotThrough(`${what}; the host's file is empty`)
        : stopped(`${what}; the host's file still says "${left}"${streams ? ': its stdin is a pipe' : ''}`)
    } finally {
      streams?.close()
      closeSync(descriptor)
    }
  },
}
