import type { MinilabCommand } from '../program.ts'
import type { LogsFlags } from './logs.ts'

const ofContainers = (command: MinilabCommand) =>
  command.argument('<container...>', 'name, id, or the beginning of an id')

/** The commands for containers that `minilab run` has made. */
export function containerCommands(program: MinilabCommand): void {
  program
    .command('ps')
    .description('list containers')
    .option('-a, --all', 'also those that have ended')
    .option('--json', 'print one JSON document')
    .action(async (flags: { all?: boolean; json?: boolean }) => (await import('./ps.ts')).ps(flags))
  program
    .command('exec')
    .description('run another program in a running container')
    .argument('<container>', 'name, id, or the beginning of an id')
    .argument('<command...>', 'the program and its arguments')
    .option('-i, --interactive', 'keep stdin open')
    .option('-t, --tty', 'give it its own terminal')
    .option(
      '-e, --env <NAME=value>',
      'set an environment variable; repeatable',
      (value: string, before: string[] = []) => [...before, value],
    )
    .option('-w, --workdir <path>', 'working directory inside')
    .option('-u, --user <user[:group]>', 'run as this user')
    .passThroughOptions()
    .action(async (container: string, command: string[], flags: ExecFlags) =>
      (await import('./exec.ts')).exec(container, command, flags),
    )
  ofContainers(program.command('kill').description('send a signal to a container'))
    .option('-s, --signal <signal>', 'which signal', 'SIGKILL')
    .action(async (containers: string[], flags: { signal: string }) =>
      (await import('./kill.ts')).kill(containers, flags.signal),
    )
  ofContainers(program.command('rm').description('remove containers that have ended'))
    .option('-f, --force', 'kill them first if they are running')
    .action(async (containers: string[], flags: { force?: boolean }) =>
      (await import('./remove.ts')).rm(containers, flags.force),
    )
  program
    .command('logs')
    .description('print the output of a container that was started with -d')
    .argument('<container>', 'name, id, or the beginning of an id')
    .option('-f, --follow', 'continue until it has ended')
    .option('-n, --tail <lines>', 'how many of the last lines, or all', 'all')
    .option('--since <time>', 'only output since then: 10m means 10 minutes ago; or 2026-11-30T12:00:00Z')
    .option('-t, --timestamps', 'print the time of each line')
    .option('--stream <name>', 'only stdout, or only stderr (default: both, in order)')
    .action(async (word: string, flags: LogsFlags) => (await import('./logs.ts')).logs(word, flags))
}

export interface ExecFlags {
  interactive?: boolean
  tty?: boolean
  env?: string[]
  workdir?: string
  user?: string
}
