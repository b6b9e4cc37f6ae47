import { MinilabError } from '../../common/errors.ts'
import {
  hostName,
  keptCapabilities,
  networkMode,
  port,
  resources,
  volumes,
  workdir,
} from '../../container/run/options.ts'
import type { RunRequest } from '../../container/run/request.ts'
import type { RunFlags } from './run.ts'

/** What the command line asks for, checked. Throws a usage error for what makes no sense, alone or together. */
export function requestFrom(
  image: string,
  command: string[],
  flags: RunFlags,
): Omit<RunRequest, 'notTakenBack'> {
  const network = networkMode(flags.network)
  flags.publish?.forEach(port)
  if (flags.publish?.length && network !== 'bridge')
    throw new MinilabError('usage', `-p needs a bridge, and the network is ${network}`, 'leave out --network')
  if (flags.unsafe && !flags.mine)
    throw new MinilabError('usage', '--unsafe is about parts of yours', 'leave it out, or add --mine')
  if (flags.tty && flags.detach)
    throw new MinilabError('usage', '-t needs a terminal and -d leaves it', 'choose one of them')
  if (flags.tty && flags.interactive && !process.stdin.isTTY)
    throw new MinilabError('usage', '-it needs a terminal, and stdin is none', 'leave out -t')
  return {
    image,
    command,
    rootless: flags.rootless ?? false,
    remove: flags.rm ?? false,
    interactive: flags.interactive ?? false,
    terminal: flags.tty ?? false,
    resources: resources(flags),
    env: [...(flags.tty ? [`TERM=${process.env.TERM ?? 'xterm'}`] : []), ...(flags.env ?? [])],
    volumes: volumes(flags.volume ?? []),
    network,
    listeningSockets: [],
    ports: flags.publish ?? [],
    readOnly: flags.readOnly ?? false,
    capabilities: keptCapabilities(flags.capAdd, flags.capDrop),
    ...(flags.name !== undefined && { name: flags.name }),
    ...(flags.workdir !== undefined && { workdir: workdir(flags.workdir) }),
    ...(flags.user !== undefined && { user: flags.user }),
    ...(flags.hostname !== undefined && { hostname: hostName(flags.hostname) }),
  }
}
