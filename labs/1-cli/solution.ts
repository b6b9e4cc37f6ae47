import { constants } from 'node:os'
import { type Exit, type Part } from 'minilab'

const LAST_DESCRIPTOR = 0xffffffff
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export const program: Part = {
  name: 'process',
  inside(tape, { spec }) {
    const { args, env, cwd } = spec.process
    // before chdir, so that no working directory can lead to an open directory of ours through /proc/self/fd
    tape.close_range(3, LAST_DESCRIPTOR, 0)
    tape.chdir(cwd)
    // execve does not search. An attempt that is refused does not end the child, and one that succeeds never returns
    const places = placesOf(args[0] ?? '', env)
    for (const path of places.slice(0, -1)) tape.attempt.execve(path, args, env)
    tape.execve(places.at(-1)!, args, env)
  },
}

/** Where a command may be. Only the child can look: it may see other files than we do. */
function placesOf(command: string, env: string[]): string[] {
  if (command.includes('/')) return [command]
  const path = env.find(entry => entry.startsWith('PATH='))?.slice('PATH='.length) ?? DEFAULT_PATH
  return path.split(':').map(folder => `${folder || '.'}/${command}`)
}

export function shellStatus(exit: Exit): number {
  return exit.status ?? 128 + constants.signals[exit.signal!]
}
