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
    .option('-t, --tty', 'give it a terminal of its own')
    .option('-d, --detach', 'print its id and leave it running')
    .option('--rm', 'remove it when it ends')
    .option('--name <name>', 'a name to call it by')
    .option('-m, --memory <size>', 'memory limit, such as 64m')
    .option('--cpus <number>', 'processor limit, such as 0.5')
    .option('--pids-limit <number>', 'how many processes it may have')
    .option('-e, --env <NAME=value>', 'set a variable (again for more)', list)
    .option('-w, --workdir <path>', 'working directory inside')
    .option('-u, --user <user[:group]>', 'run as this user of the image')
    .option('-v, --volume <host:container[:ro]>', 'bind a directory or file (again for more)', list)
    .option('--network <mode>', 'none, host or bridge', 'bridge')
    .option('-p, --publish <host:container>', 'publish a port (again for more)', list)
    .option('--read-only', 'mount its root read-only')
    .option('--hostname <name>', 'its host name')
    .option('--cap-add <capability>', 'keep a capability that is dropped by default', list)
    .option('--cap-drop <capability>', 'drop one more; ALL drops every one', list)
    .option('--rootless', 'in a user namespace, also as root')
    .option('--mine', 'of your own parts: those of the labs')
    .option('--unsafe', 'with --mine: also of parts that their checks refuse')
    .passThroughOptions()
    .action(async (image: string, command: string[], flags: RunFlags) => {
      const { runFromFlags } = await import('./run-from-flags.ts')
      return runFromFlags(image, command, { ...flags, rootless: isRootless(flags.rootless) })
    })
}
