import { Command, CommanderError } from 'commander'
import { asTyped } from '../guide/as-typed.ts'
import { Interrupted } from '../common/errors.ts'
import { waiting } from '../kernel/process/waiting.ts'
import { printable, reportError } from './report-error.ts'
import { bookCommand } from './book/book.ts'
import { labCommands } from './lab/lab.ts'
import { lookCommand } from './look/look.ts'
import { classCommand } from './class/class.ts'
import { cleanCommand } from './clean/clean.ts'
import { containerCommands } from './containers/containers.ts'
import { devCommand } from './dev/dev.ts'
import { runCommand } from './run/run.ts'
import { doctorCommand } from './doctor/doctor.ts'
import { escapeCommand } from './escape/escape.ts'
import { quizCommand } from './quiz/quiz.ts'
import { reportCommand } from './report/report.ts'
import { stepCommand } from './step/step.ts'
import { tourCommand } from './tour/tour.ts'
import { viewCommand } from './view/view.ts'
import { workspaceCommands } from './workspace/workspace.ts'
import { EXIT, statusOf } from './exit.ts'
import { heedOutputErrors } from './unwritable.ts'

/** commander's Command, whose action may return the exit status: commander drops what an action returns. */
export class MinilabCommand extends Command {
  readonly #ended: (status: number) => void

  /** `ended` receives the exit status once the action of this command, or of a subcommand, has finished. */
  constructor(name: string, ended: (status: number) => void) {
    super(name)
    this.#ended = ended
  }

  override createCommand(name = ''): MinilabCommand {
    return new MinilabCommand(name, this.#ended)
  }

  /**
   * Replaces commander's version, which passes remaining arguments on with `push(...args.slice(i))`: 130,000 words overflow the stack.
   * Commander gets an empty rest, and the real arguments are put in its place.
   */
  override parseOptions(args: string[]): ReturnType<Command['parseOptions']> {
    let rest: string[] = []
    const slice = (from?: number) => ((rest = args.slice(from)), [])
    const { operands, unknown } = super.parseOptions(Object.assign([...args], { slice }))
    const isForCommand = this.commands.some(command => command.name() === operands[0])
    return unknown.length > 0 || isForCommand
      ? { operands, unknown: unknown.concat(rest) }
      : { operands: operands.concat(rest), unknown }
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- as in commander: an action knows its arguments and flags
  override action(act: (...args: any[]) => number | void | Promise<number | void>): this {
    return super.action(async (...args) => this.#ended((await act(...args)) ?? EXIT.ok))
  }
}

/** In the order in which a newcomer needs them. */
const COMMANDS = {
  'See how it works': [
    tourCommand,
    stepCommand,
    bookCommand,
    quizCommand,
    escapeCommand,
    lookCommand,
    viewCommand,
  ],
  'Write it yourself': [labCommands, workspaceCommands],
  'Use it': [runCommand, containerCommands],
  'This machine': [doctorCommand, cleanCommand],
  'Hand in, and teach': [reportCommand, classCommand, devCommand],
}

/** All commands with their flags and help, for parsing or for display. `ended` receives the exit status of the command that ran. */
export function commandLine(
  version: string,
  ended: (status: number) => void = () => undefined,
): MinilabCommand {
  const begin = asTyped('Begin with:  sudo minilab step 1')
  const program = new MinilabCommand('minilab', ended)
    .description(
      'Learn how containers work by building one: real system calls, proved against the live kernel.',
    )
    .version(version, '-V, --version')
    .configureHelp({ minWidthToWrap: 30 }) // at 80 columns, 38 remain beside the commands
    .configureOutput({ outputError: (text, write) => write(oneLine(text)) })
    .enablePositionalOptions()
    .exitOverride()
    .addHelpText(
      'after',
      `
${begin}${begin.includes('sudo') ? '      (or without sudo)' : ''}
Exit status: 0 all well · 1 a check failed · 2 wrong use · 3 the machine lacks something
Of run and exec: the program’s · 127 not found · 126 not executable · 125 it was not started`,
    )
  for (const [heading, commands] of Object.entries(COMMANDS)) {
    program.commandsGroup(`${heading}:`)
    for (const add of commands) add(program)
  }
  return program
}

/** Parses the command line and runs the command; sets the exit status. */
export async function main(argv: string[], version: string): Promise<void> {
  heedOutputErrors()
  const program = commandLine(version, status => {
    // an error on stdout may already have set it: unwritable.ts
    process.exitCode = Math.max(Number(process.exitCode ?? 0), status)
  })
  if (argv.length === 2) return program.outputHelp()
  try {
    await program.parseAsync(argv)
    if (waiting.calls > 0)
      (await import('../kernel/syscalls/now.ts')).now.exit_group(Number(process.exitCode ?? 0))
  } catch (error) {
    // a libuv worker may be blocked in write(2), and process.exit() would wait for it: so exit by the system call itself
    if (error instanceof Interrupted)
      (await import('../kernel/syscalls/now.ts')).now.exit_group(128 + error.signal)
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : statusOf(EXIT.usage)
    else {
      const status = reportError(error)
      // a job that could not be ended would keep us running for ever; it dies with us (PR_SET_PDEATHSIG)
      process.exit(status)
    }
  }
}

/** Turns commander's `error: unknown command 'stpe'\n(Did you mean step?)` into one line that says what to do. */
function oneLine(text: string): string {
  const [, problem = text, hint] = /^error: (.*?)\.?\s*(?:\(Did you mean (.*?)\?\))?\s*$/s.exec(text) ?? []
  return `minilab: ${printable(problem)}: ${hint ? `did you mean ${hint}?` : asTyped('minilab --help shows what there is')}\n`
}
