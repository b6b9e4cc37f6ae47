import type { MinilabCommand } from '../program.ts'
import { isRootless } from '../rootless.ts'

export interface RunFlags {
  interactive?: boolean
  tty?: boolean
  detach?: boolean
  rm?: boolean
  name?: string
  memory?: string
  cpus?: string
  pidsLimit?: string
  env?: string[]
  workdir?: string
  user?: string
  volume?: string[]
  network: string
  publish?: string[]
  readOnly?: boolean
  hostname?: string
  capAdd?: string[]
  capDrop?: string[]
  rootless?: boolean
  mine?: boolean
  unsafe?: boolean
  showMonitor?: boolean
  init?: boolean
}

const list = (value: string, before: string[] = []) => [...before, value]

/** `minilab run`: the content of all seven chapters together. */
export function runCommand(program: MinilabCommand): void {
  program
    .command('run')
    .description('run a program in a container')
    .argument('<image>', 'an image, "default", or a directory with a root file system')
    .argument('[command...]', 'the program and its arguments')
    .option('-i, --interactive', 'keep stdin open')
    .option('-t, --tty', 'give it its own terminal')
    .option('-d, --detach', 'print its id and leave it running')
    .option('--init', 'make process 1 an init: it passes on signals to the program, and reaps orphans')
    .option('--show-monitor', 'with -d, -p or --init: print the tapes of what stays, and start nothing')
    .option('--rm', 'remove it when it ends')
    .option('--name <name>', 'a name for it')
    .option('-m, --memory <size>', 'memory limit, such as 64m')
    .option('--cpus <number>', 'CPU limit, such as 0.5')
    .option('--pids-limit <number>', 'limit on the number of processes')
    .option('-e, --env <NAME=value>', 'set an environment variable; repeatable', list)
    .option('-w, --workdir <path>', 'working directory inside')
    .option('-u, --user <user[:group]>', 'run as this user of the image')
    .option('-v, --volume <host:container[:ro]>', 'bind-mount a directory or file; repeatable', list)
    .option('--network <mode>', 'none, host or bridge', 'bridge')
    .option('-p, --publish <host:container>', 'publish a port of it on the host; repeatable', list)
    .option('--read-only', 'mount its root read-only')
    .option('--hostname <name>', 'its host name')
    .option('--cap-add <capability>', 'keep a capability that is dropped by default', list)
    .option('--cap-drop <capability>', 'drop another capability; ALL drops all', list)
    .option('--rootless', 'use a user namespace, even as root')
    .option('--mine', 'build it from your own parts, those of the labs')
    .option('--unsafe', 'with --mine: use parts that fail their checks')
    .passThroughOptions()
    .action(async (image: string, command: string[], flags: RunFlags) => {
      if (flags.showMonitor) return (await import('./show-monitor.ts')).showMonitor(flags)
      const { runFromFlags } = await import('./run-from-flags.ts')
      return runFromFlags(image, command, { ...flags, rootless: isRootless(flags.rootless) })
    })
}
