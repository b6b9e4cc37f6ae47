import { readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { takeFlags, type Flags, type FlagTable } from './command-line.ts'
import { type Call, COMMANDS, GLOBAL, REFUSED } from './commands.ts'
import { MinilabError } from '../common/errors.ts'
import { isMachinesRoot } from '../kernel/process/procfs.ts'
import { type Log, write } from './log.ts'

/** The version of the runtime specification. */
export const OCI_VERSION = '1.0.2'

const log: Log = { path: undefined, format: 'text' }
const debug = { on: false }

/** The status if we fail. */
const failed = { status: 1 }

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  write(log, 'error', textOf(error))
  process.exitCode = (error instanceof MinilabError && error.status) || failed.status
}
// a launch leaves threads and handlers behind, which would keep us
process.exit()

async function main(words: string[]): Promise<number> {
  const { flags: global, rest } = takeFlags(words, GLOBAL)
  configure(global)
  const [name, ...more] = rest
  if (global.has('version')) return say(version())
  if (name === undefined || name === 'help' || global.has('help')) return say(help())
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (!command)
    throw new MinilabError(
      'usage',
      Object.hasOwn(REFUSED, name) ? `${name} is not supported` : `no such command: ${name}`,
      REFUSED[name] ?? 'minilab-oci --help lists them',
    )
  failed.status = command.failure ?? failed.status
  const { flags, rest: args } = takeFlags(more, { ...command.flags, help: { kind: 'switch', short: 'h' } })
  if (flags.has('help')) return say(helpFor(name))
  checkArgs(name, command.args, args)
  const { run } = await command.load()
  const root = global.value('root') ?? defaultRoot()
  const call: Call = {
    root,
    flags,
    args,
    debugging: debug.on,
    debug: text => debug.on && write(log, 'debug', text),
    warn: text => write(log, 'warning', text),
    fail: text => write(log, 'error', text),
    systemd: global.has('systemd-cgroup'),
  }
  const workspace = global.value('workspace')
  if (workspace !== undefined && !global.has('mine'))
    throw new MinilabError('usage', '--workspace says where your parts are', 'add --mine')
  if (global.has('mine') && call.systemd)
    throw new MinilabError('usage', '--mine makes the cgroup by your own part', 'leave out --systemd-cgroup')
  if (!global.has('mine') || !command.makes) return (await run(call)) ?? 0
  return (await import('./own-parts/with-own-parts.ts')).withOwnParts(call, run, workspace)
}

function configure(global: Flags): void {
  log.path = global.value('log')
  const format = global.value('log-format') ?? 'text'
  if (!['text', 'json'].includes(format))
    throw new MinilabError('usage', `invalid log format: ${JSON.stringify(format)}`, 'text or json')
  log.format = format
  debug.on = global.has('debug')
}

function checkArgs(name: string, wanted: string, args: readonly string[]): void {
  const words = wanted.split(' ').filter(Boolean)
  const least = words.filter(word => !word.startsWith('[')).length
  const most = words.includes('[…]') ? Infinity : words.length
  if (args.length >= least && args.length <= most) return
  throw new MinilabError('usage', `${name} takes ${wanted || 'no arguments'}`, `minilab-oci ${name} --help`)
}

/** Where runc's is /run/runc: of root on the machine, otherwise of the user, whom Podman makes root of a user namespace. */
function defaultRoot(): string {
  const { XDG_RUNTIME_DIR } = process.env
  return XDG_RUNTIME_DIR && !isMachinesRoot() ? join(XDG_RUNTIME_DIR, 'minilab-oci') : '/run/minilab-oci'
}

/** The message alone is what engines look at; what to do follows it. */
function textOf(error: unknown): string {
  if (error instanceof MinilabError) {
    const { at, message, remedy } = error
    return [at && `${at.file}:${at.line} (${at.text})`, message, remedy].filter(Boolean).join(': ')
  }
  return error instanceof Error ? error.message : String(error)
}

function say(text: string): number {
  writeSync(1, `${text}\n`)
  return 0
}

function version(): string {
  const path = join(import.meta.dirname, '../../package.json')
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string }
  return `minilab-oci version ${version}\ncommit: v${version}\nspec: ${OCI_VERSION}`
}

function help(): string {
  const commands = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`)
  return [
    'minilab-oci [FLAG…] COMMAND [FLAG…] [ARGUMENT…]',
    '',
    'Flags:',
    ...flagLines(GLOBAL),
    '',
    '--mine makes containers from the parts that you wrote in the labs, in the folder --workspace.',
    '--systemd-cgroup: systemd makes the cgroup, as a scope. linux.cgroupsPath is then SLICE:PREFIX:NAME.',
    '',
    'Commands:',
    ...commands,
  ].join('\n')
}

function helpFor(name: string): string {
  const { summary = '', args = '', flags = {} } = COMMANDS[name] ?? {}
  return [
    `minilab-oci ${name} [FLAG…] ${args}`.trimEnd(),
    `  ${summary}`,
    '',
    'Flags:',
    ...flagLines(flags),
  ].join('\n')
}

function flagLines(table: FlagTable): string[] {
  return Object.entries(table).flatMap(([name, flag]) =>
    'refused' in flag
      ? []
      : `  --${name}${flag.kind === 'value' ? ' VALUE' : ''}${flag.short ? `, -${flag.short}` : ''}`,
  )
}
