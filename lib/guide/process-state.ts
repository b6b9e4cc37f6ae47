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

/** The fields of /proc/self/status that a process can change for itself: proc_pid_status(5). */
const RIGHTS = ['Uid', 'Gid', 'Groups', 'Umask', 'CapEff', 'CapBnd', 'NoNewPrivs', 'Seccomp']

/** The commands that print the firewall rules of our network namespace. */
const RULES = [
  ['nft', 'list', 'ruleset'],
  ['iptables-save', '-t', 'nat'],
]

/**
 * The state of this process and its surroundings in a sandbox, as a set of lines. If it is the same before and after a job, the
 * next job begins in the same state as this one did. `rules`: also the firewall's rules, which only another program can list.
 * `image`: also the default image, if it is writable.
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

/**
 * The descriptors that a program would inherit: proc_pid_fdinfo(5). The others are libuv's, which opens some when it first
 * needs them.
 */
function inherited(): string[] {
  return Object.entries(descriptors('self'))
    .filter(([fd]) => {
      const [, flags = '0'] =
        unlessGone(() => /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))) ?? []
      return (parseInt(flags, 8) & O_CLOEXEC) === 0
    })
    .map(([fd, target]) => `descriptor ${fd} ${target}`)
}

/** The links, and the forwarding setting of each. */
function links(): string[] {
  const forwarding = ['all', ...readdirSync('/proc/sys/net/ipv4/conf')].map(name => {
    const setting = `/proc/sys/net/ipv4/conf/${name}/forwarding`
    return `${setting} ${existsSync(setting) && readFileSync(setting, 'utf8').trim()}`
  })
  return [...linkNames('self').map(name => `link ${name}`), ...forwarding]
}

/** The message queues, semaphores and shared memory: mq_overview(7), proc_sysvipc(5). */
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
  // remove counters and comments, which change although the rules do not
  const rules = runRuleTool([program, ...args]).said.replaceAll(/^#.*$|\[\d+:\d+\]|counter packets.*/gm, '')
  return rules.split('\n').map(line => `rule ${line}`)
}
