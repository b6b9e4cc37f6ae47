import { Command, CommanderError } from 'commander'
import { asTyped } from '../guide/as-typed.ts'
import { Interrupted } from '../common/errors.ts'
import { printable } from '../common/printable.ts'
import { reportError } from './report-error.ts'
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

type Add = (program: MinilabCommand) => void

/** The words of each command or group of commands, and how its flags are loaded; in the order in which a newcomer needs them. */
const COMMANDS: Record<string, readonly [words: string, load: () => Promise<Add>][]> = {
  'See how it works': [
    ['tour', async () => (await import('./tour/tour.ts')).tourCommand],
    ['step', async () => (await import('./step/step.ts')).stepCommand],
    ['book', async () => (await import('./book/book.ts')).bookCommand],
    ['quiz', async () => (await import('./quiz/quiz.ts')).quizCommand],
    ['escape', async () => (await import('./escape/escape.ts')).escapeCommand],
    ['look', async () => (await import('./look/look.ts')).lookCommand],
    ['view', async () => (await import('./view/view.ts')).viewCommand],
  ],
  'Write it yourself': [
    ['lab check watch hint diff solution', async () => (await import('./lab/lab.ts')).labCommands],
    ['init progress reset', async () => (await import('./workspace/workspace.ts')).workspaceCommands],
  ],
  'Use it': [
    ['run', async () => (await import('./run/run.ts')).runCommand],
    ['ps exec kill rm logs', async () => (await import('./containers/containers.ts')).containerCommands],
  ],
  'This machine': [
    ['doctor', async () => (await import('./doctor/doctor.ts')).doctorCommand],
    ['clean', async () => (await import('./clean/clean.ts')).cleanCommand],
  ],
  'Hand in, and teach': [
    ['report', async () => (await import('./report/report.ts')).reportCommand],
    ['class', async () => (await import('./class/class.ts')).classCommand],
    ['dev', async () => (await import('./dev/dev.ts')).devCommand],
  ],
}

/**
 * All commands with their flags and help, for parsing or for display; or only the command that `word` names, if it names one: the others
 * need not be loaded to run it. `ended` receives the exit status of the command that ran.
 */
export async function commandLine(
  version: string,
  word?: string,
  ended: (status: number) => void = () => undefined,
): Promise<MinilabCommand> {
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
After lab 7:  docker run --runtime mine      (${asTyped('minilab book 7')} says how)
Exit status: 0 all well · 1 a check failed · 2 usage error · 3 the machine lacks something
For run and exec: the program's · 127 not found · 126 not executable · 125 not started`,
    )
  const all = Object.entries(COMMANDS).flatMap(([heading, group]) =>
    group.map(([words, load]) => ({ heading, words: words.split(' '), load })),
  )
  const named = all.filter(({ words }) => word !== undefined && words.includes(word))
  const wanted = named.length > 0 ? named : all
  const adds = await Promise.all(wanted.map(({ load }) => load()))
  wanted.forEach(({ heading }, i) => {
    program.commandsGroup(`${heading}:`)
    adds[i]?.(program)
  })
  return program
}

/** Parses the command line and runs the command; sets the exit status. */
export async function main(argv: string[], version: string): Promise<void> {
  heedOutputErrors()
  const program = await commandLine(version, argv[2], status => {
    // an error on stdout may already have set it: unwritable.ts
    process.exitCode = Math.max(Number(process.exitCode ?? 0), status)
  })
  if (argv.length === 2) return program.outputHelp()
  try {
    await program.parseAsync(argv)
  } catch (error) {
    if (error instanceof Interrupted) (await import('./end.ts')).exitNow(128 + error.signal)
    process.exitCode = error instanceof CommanderError ? statusOfUsage(error) : reportError(error)
  }
}

/** commander throws for --help, too. */
const statusOfUsage = ({ exitCode }: CommanderError) => (exitCode === 0 ? EXIT.ok : statusOf(EXIT.usage))

/** Turns commander's `error: unknown command 'stpe'\n(Did you mean step?)` into one line that says what to do. */
function oneLine(text: string): string {
  const [, problem = text, hint] = /^error: (.*?)\.?\s*(?:\(Did you mean (.*?)\?\))?\s*$/s.exec(text) ?? []
  return `minilab: ${printable(problem)}: ${hint ? `did you mean ${hint}?` : asTyped('minilab --help shows what there is')}\n`
}
