import { Command, CommanderError } from 'commander'
import { fail } from './fail.ts'
import { cleanCommand } from './clean.ts'
import { containerCommands } from './containers.ts'
import { runCommand } from './run.ts'
import { doctorCommand } from './doctor.ts'
import { stepCommand } from './step.ts'
import { EXIT } from './exit.ts'

/** Parses the command line and runs the command; sets the exit status. */
export async function main(argv: string[], version: string): Promise<void> {
  const program = new Command('minilab')
    .description(
      'Learn how containers work by building one: real system calls, proved against the live kernel.',
    )
    .version(version, '-V, --version')
    .showHelpAfterError('(minilab --help shows what there is)')
    .enablePositionalOptions()
    .exitOverride()
    .addHelpText(
      'after',
      `
Begin with:  sudo minilab step 1      (or without sudo)
Exit status: 0 all well · 1 a check failed · 2 wrong use · 3 the machine lacks something`,
    )
  for (const add of [stepCommand, runCommand, containerCommands, doctorCommand, cleanCommand]) add(program)
  try {
    await program.parseAsync(argv)
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT.usage
    else fail(error)
  }
}
