import type { Part, Plan } from '../container/part.ts'
import type { Flags, FlagTable } from './command-line.ts'
import type { OfCreate } from './create.ts'

/** What a command is given: its flags, and the words after them. */
export interface Call {
  /** the folder with the state of all containers */
  root: string
  flags: Flags
  args: string[]
  /** writes a line of the log, if --debug asks for it */
  debug(text: string): void
  debugging: boolean
  /** writes a line of the log about something that does not make the command fail */
  warn(text: string): void
  /** says why the command fails, where nothing can be thrown any more */
  fail(text: string): void
  /** --systemd-cgroup: systemd makes the cgroup of a new container */
  systemd: boolean
  /** --mine: the learner's parts make the container */
  mine?: Mine
}

/** How `create` is done with other parts than ours. */
interface Mine {
  /** puts them in their order, with what `create` adds */
  arrange(added: OfCreate, plan: Plan): Part[]
  /** whether another process has made the container's folder, and takes back what is left when we have failed */
  keeper: boolean
}

/** Does the work of a command; the result is the exit status, 0 unless given. */
export type Run = (call: Call) => void | number | Promise<void | number>

interface Command {
  summary: string
  /** the words after the flags; a name in brackets may be missing, and `…` means any number */
  args: string
  flags: FlagTable
  /** the status if it fails, if that is not 1 */
  failure?: number
  /** whether it makes a container: with --mine from the learner's parts */
  makes?: true
  /** loaded only when it is used: most commands need few modules */
  load(): Promise<{ run: Run }>
}

const CRIU = 'processes cannot be saved and restored here: that needs CRIU'

/** The flags before the name of the command. */
export const GLOBAL: FlagTable = {
  root: { kind: 'value' },
  log: { kind: 'value' },
  'log-format': { kind: 'value' },
  debug: { kind: 'switch' },
  mine: { kind: 'switch' },
  workspace: { kind: 'value' },
  'systemd-cgroup': { kind: 'switch' },
  rootless: { refused: 'start it as the user whom it is for', value: true },
  criu: { refused: CRIU, value: true },
  help: { kind: 'switch', short: 'h' },
  version: { kind: 'switch', short: 'v' },
}

const NEW: FlagTable = {
  bundle: { kind: 'value', short: 'b' },
  'console-socket': { kind: 'value' },
  'pidfd-socket': { kind: 'value' },
  'pid-file': { kind: 'value' },
  'no-pivot': { refused: 'the root is always changed by pivot_root, which a ramdisk as root does not allow' },
  'no-new-keyring': { kind: 'switch' },
  'preserve-fds': { kind: 'value' },
}

/** The commands of runc, in the order of its help: github.com/opencontainers/runc, main.go. */
export const COMMANDS: Record<string, Command> = {
  create: {
    summary: 'make a container from a bundle; its program waits for start',
    args: 'ID',
    flags: NEW,
    makes: true,
    load: () => import('./commands/create.ts'),
  },
  delete: {
    summary: 'take back what a container that has ended left',
    args: 'ID',
    flags: { force: { kind: 'switch', short: 'f' } },
    load: () => import('./commands/delete.ts'),
  },
  events: {
    summary:
      'print what a container uses, as JSON, and when it runs out of memory, until it ends; with --stats once',
    args: 'ID',
    flags: { stats: { kind: 'switch' }, interval: { kind: 'value' } },
    load: () => import('./commands/events.ts'),
  },
  exec: {
    summary: 'start another program in a running container',
    args: 'ID [COMMAND] […]',
    flags: {
      'console-socket': { kind: 'value' },
      'pidfd-socket': { kind: 'value' },
      'pid-file': { kind: 'value' },
      process: { kind: 'value', short: 'p' },
      detach: { kind: 'switch', short: 'd' },
      tty: { kind: 'switch', short: 't' },
      cwd: { kind: 'value' },
      env: { kind: 'value', short: 'e', many: true },
      user: { kind: 'value', short: 'u' },
      'additional-gids': { kind: 'value', short: 'g', many: true },
      cap: { kind: 'value', short: 'c', many: true },
      'no-new-privs': { kind: 'switch' },
      'preserve-fds': { kind: 'value' },
      'ignore-paused': { kind: 'switch' },
      apparmor: { refused: 'there is no AppArmor support', value: true },
      'process-label': { refused: 'there is no SELinux support', value: true },
      cgroup: { refused: 'the process joins the cgroup of the container', value: true },
    },
    failure: 255, // as runc: whatever prevents the program from running gives this status
    load: () => import('./commands/exec.ts'),
  },
  features: {
    summary: 'print what this runtime can do, as JSON',
    args: '',
    flags: {},
    load: () => import('./commands/features.ts'),
  },
  kill: {
    summary: 'send a signal to a container',
    args: 'ID [SIGNAL]',
    flags: { all: { kind: 'switch', short: 'a' } },
    load: () => import('./commands/kill.ts'),
  },
  list: {
    summary: 'list the containers',
    args: '',
    flags: { format: { kind: 'value', short: 'f' }, quiet: { kind: 'switch', short: 'q' } },
    load: () => import('./commands/list.ts'),
  },
  pause: {
    summary: 'freeze all processes of a container',
    args: 'ID',
    flags: {},
    load: () => import('./commands/pause.ts'),
  },
  ps: {
    summary: 'list the processes of a container',
    args: 'ID [PS-OPTION] […]',
    flags: { format: { kind: 'value', short: 'f' } },
    load: () => import('./commands/ps.ts'),
  },
  resume: {
    summary: 'let the processes of a container go on',
    args: 'ID',
    flags: {},
    load: () => import('./commands/resume.ts'),
  },
  run: {
    summary: 'create and start a container, and wait for its end',
    args: 'ID',
    flags: { ...NEW, detach: { kind: 'switch', short: 'd' }, keep: { kind: 'switch' } },
    makes: true,
    load: () => import('./commands/run.ts'),
  },
  spec: {
    summary: 'write a config.json to start from',
    args: '',
    flags: { bundle: { kind: 'value', short: 'b' }, rootless: { kind: 'switch' } },
    load: () => import('./commands/spec.ts'),
  },
  start: {
    summary: 'let the program of a created container run',
    args: 'ID',
    flags: {},
    load: () => import('./commands/start.ts'),
  },
  state: {
    summary: 'print the state of a container, as JSON',
    args: 'ID',
    flags: {},
    load: () => import('./commands/state.ts'),
  },
  update: {
    summary: 'change the limits of a container',
    args: 'ID',
    flags: { resources: { kind: 'value', short: 'r' } },
    load: () => import('./commands/update.ts'),
  },
}

/** Commands of runc that we know and cannot do. */
export const REFUSED: Record<string, string> = {
  checkpoint: CRIU,
  restore: CRIU,
}
