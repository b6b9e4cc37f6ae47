import { MinilabError } from '../common/errors.ts'
import { connectTo, sendDescriptor } from './send-descriptor.ts'

/** Sends the master of a terminal to a socket of the engine, with a name, as runc does. */
export function sendTerminal(path: string, master: number): void {
  using socket = connectTo(path)
  sendDescriptor(socket, '/dev/pts/ptmx', master)
}

/** Throws unless there is a socket for a terminal exactly if one is wanted. */
export function checkConsole(terminal: boolean, socket: string | undefined): void {
  if (terminal && !socket)
    throw new MinilabError(
      'usage',
      'cannot allocate tty if runc will detach without setting console socket',
      'give --console-socket',
    )
  if (!terminal && socket)
    throw new MinilabError(
      'usage',
      'cannot use console socket if runc will not detach or allocate tty',
      'leave out --console-socket',
    )
}
