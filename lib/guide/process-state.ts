import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { findProgram, runRuleTool } from '../container/net/rule-tool.ts'
import { plannedLayers } from '../image/store.ts'
import { treeDigest } from '../image/tree-digest.ts'
import { O_CLOEXEC } from '../kernel/syscalls/constants.ts'
import { mountinfo } from '../kernel/mount/mountinfo.ts'
import {
  descriptors,
  linkNames,
  namespaceInode,
  NAMESPACES,
  pids,
  processExists,
  status,
  unlessGone,
} from '../kernel/process/procfs.ts'

/** Of /proc/self/status what a process may change of itself: proc_pid_status(5). */
const RIGHTS = ['Uid', 'Gid', 'Groups', 'Umask', 'CapEff', 'CapBnd', 'NoNewPrivs', 'Seccomp']

/** The commands that print the rules of the network namespace that we are in. */
const RULES = [
  ['nft', 'list', 'ruleset'],
  ['iptables-save', '-t', 'nat'],
]

/**
 * What this process is and sees, in a sandbox, as a set of lines: if it is the same after a job as before it, the next job
 * begins as this one did. `rules`: those of the firewall as well, which only another program can list. `image`: the default
 * image, where it can be written to.
 */
export function surroundings({ rules = false, image = false } = {}): Set<string> {
  const self = status('self')
  return new Set([
    `current folder ${existsSync('.') ? process.cwd() : 'removed'}`,
    `host name ${hostname()}`,
    ...RIGHTS.map(name => `${name} ${self[name]}`),
    ...NAMESPACES.map(kind => `namespace ${kind} ${namespaceInode('self', kind)}`),
    ...Object.entries(process.env).map(([name, value]) => `environment ${name}=${value}`),
    ...inherited(),
    ...pids()
      .filter(processExists)
      .map(pid => `process ${pid}`),
    ...mountinfo().map(({ type, target, options }) => `mount ${type} ${target} ${options.join()}`),
    ...links(),
    ...ipc(),
    ...limits(),
    ...(rules ? RULES.flatMap(print) : []),
    ...(image ? plannedLayers('default').map(dir => `layer ${dir} ${treeDigest(dir).hash}`) : []),
  ])
}

/** The descriptors that a program would inherit: proc_pid_fdinfo(5). The others are libuv's, which opens some when it first needs them. */
function inherited(): string[] {
  return Object.entries(descriptors('self'))
    .filter(([fd]) => {
      const [, flags = '0'] =
        unlessGone(() => /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))) ?? []
      return (parseInt(flags, 8) & O_CLOEXEC) === 0
    })
    .map(([fd, target]) => `descriptor ${fd} ${target}`)
}

/** Links, and what is set for each. */
function links(): string[] {
  const forwarding = ['all', ...readdirSync('/proc/sys/net/ipv4/conf')].map(name => {
    const setting = `/proc/sys/net/ipv4/conf/${name}/forwarding`
    return `${setting} ${existsSync(setting) && readFileSync(setting, 'utf8').trim()}`
  })
  return [...linkNames('self').map(name => `link ${name}`), ...forwarding]
}

/** Message queues, semaphores and shared memory: mq_overview(7), proc_sysvipc(5). */
function ipc(): string[] {
  const queues = existsSync('/dev/mqueue') ? readdirSync('/dev/mqueue') : []
  const systemV = ['msg', 'sem', 'shm'].flatMap(kind => {
    const table = `/proc/sysvipc/${kind}`
    return existsSync(table)
      ? readFileSync(table, 'utf8')
          .split('\n')
          .map(line => `${kind} ${line}`)
      : []
  })
  return [...queues.map(name => `queue ${name}`), ...systemV]
}

const limits = () =>
  readFileSync('/proc/self/limits', 'utf8')
    .split('\n')
    .map(line => `limit ${line}`)

function print([name = '', ...args]: string[]): string[] {
  const program = findProgram(name)
  if (program === undefined) return []
  // counters and comments tell when it was, and not what the rules are
  const rules = runRuleTool([program, ...args]).said.replaceAll(/^#.*$|\[\d+:\d+\]|counter packets.*/gm, '')
  return rules.split('\n').map(line => `rule ${line}`)
}
