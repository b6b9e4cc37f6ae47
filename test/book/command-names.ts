import type { Command, Option } from 'commander'
import { commandLine } from '../../lib/cli/program.ts'
import { hint } from '../../lib/common/suggest.ts'
import type { Chapter } from './chapters.ts'
import { commands } from './command-words.ts'
import { FLAGS } from './flags.ts'
import { BookError } from './problem.ts'

const program = await commandLine('')
const ALWAYS = ['--help', '-h']
/** Words that stand for something else: N, IMAGE, <container>, … */
const PLACEHOLDER = /^[A-Z]+$|^<.*>$|…/
/** Commands whose first operand is a chapter. */
const OF_CHAPTERS = ['step', 'lab', 'check', 'watch', 'hint', 'diff', 'solution', 'reset', 'quiz', 'escape']

/** Where a command line stands: all chapters, and the one whose page it is on. */
export interface Context {
  chapters: readonly Chapter[]
  own?: Chapter
}

/**
 * Throws a BookError where a command line names a command, a flag, a chapter or a mutant that does not exist. Of other tools
 * only long flags are looked at.
 */
export function checkCommands(text: string, context: Context): void {
  for (const [first = '', ...words] of commands(text))
    if (/^(.*\/)?minilab$/.test(first)) checkMinilab(words, context)
    else if (first.startsWith('--')) checkAlone(first, words, context)
    else if (FLAGS[first]) checkTool(first, words)
}

function checkMinilab(words: readonly string[], context: Context): void {
  const [command, rest] = descend(program, words)
  const { operands, values } = read(command, rest)
  const [operand] = operands
  const names = command.commands.map(other => other.name())
  if (names.length > 0 && operand && !PLACEHOLDER.test(operand))
    throw new BookError(
      `there is no command minilab ${words.join(' ')}`,
      hint(operand, names, `there are ${names.join(', ')}`),
    )
  let { own } = context
  if (OF_CHAPTERS.includes(command.name()) && operand && operand !== 'all' && !PLACEHOLDER.test(operand))
    own = chapterOf(operand, context)
  checkMutant(values.get('--mutant'), own)
}

/** The command that the words name, and the words after its name. */
function descend(command: Command, words: readonly string[]): [Command, readonly string[]] {
  const next = command.commands.find(other => other.name() === words[0])
  return next ? descend(next, words.slice(1)) : [command, words]
}

function chapterOf(word: string, { chapters }: Context): Chapter {
  const found = chapters.find(({ number, name }) => word === `${number}` || word === name)
  if (found) return found
  const names = chapters.map(({ name }) => name)
  throw new BookError(
    `there is no chapter "${word}"`,
    hint(word, names, `they are 1 to 7, or ${names.join(', ')}`),
  )
}

function checkMutant(name: string | undefined, chapter: Chapter | undefined): void {
  if (name === undefined || PLACEHOLDER.test(name) || !chapter || chapter.mutants.includes(name)) return
  throw new BookError(
    `step ${chapter.number} has no mutant "${name}"`,
    hint(name, chapter.mutants, `minilab step ${chapter.number} --list-mutants shows them`),
  )
}

interface CommandWords {
  operands: string[]
  /** of the flags that take a value, by their long name */
  values: Map<string, string>
}

/** Reads words as commander would. Throws a BookError at a flag or a value that the command does not know. */
function read(command: Command, words: readonly string[]): CommandWords {
  const found: CommandWords = { operands: [], values: new Map() }
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    if (word === '--') break
    if (!/^-./.test(word)) {
      found.operands.push(word)
      if (stopsAtOperand(command)) break // what follows is the program's own
    } else {
      const [flag = '', inline] = word.split('=', 2)
      for (const single of flag.startsWith('--')
        ? [flag]
        : flag
            .slice(1)
            .split('')
            .map(letter => `-${letter}`)) {
        const option = optionOf(command, single)
        if (!option?.required) continue
        const value = inline ?? words[++i] ?? ''
        checkChoice(option, value)
        if (option.long) found.values.set(option.long, value)
      }
    }
  }
  return found
}

/** commander keeps what `passThroughOptions()` has set to itself. */
function stopsAtOperand(command: Command): boolean {
  return '_passThroughOptions' in command && command._passThroughOptions === true
}

function optionOf(command: Command, flag: string): Option | undefined {
  const option = command.options.find(({ long, short }) => flag === long || flag === short)
  if (option || ALWAYS.includes(flag)) return option
  const names = command.options.flatMap(({ long }) => long ?? [])
  const name = [command.parent?.parent?.name(), command.parent?.name(), command.name()]
    .filter(Boolean)
    .join(' ')
  throw new BookError(`${name} has no flag ${flag}`, hint(flag, names, `${name} --help shows what there is`))
}

function checkChoice({ long, argChoices }: Option, value: string): void {
  if (!argChoices || argChoices.includes(value) || PLACEHOLDER.test(value)) return
  throw new BookError(
    `${long} cannot be "${value}"`,
    hint(value, argChoices, `it is ${argChoices.join(', ')}`),
  )
}

/** A flag without its command: some command has to have it. */
function checkAlone(word: string, words: readonly string[], { own }: Context): void {
  const [flag = '', inline] = word.split('=', 2)
  const option = every(program).find(({ long }) => long === flag)
  if (option?.required && (inline ?? words[0])) checkChoice(option, inline ?? words[0]!)
  if (flag === '--mutant') checkMutant(inline ?? words[0], own)
  const known = [
    ...every(program).flatMap(({ long }) => long ?? []),
    ...ALWAYS,
    ...Object.values(FLAGS).flat(),
  ]
  if (!known.includes(flag))
    throw new BookError(
      `no command has a flag ${flag}`,
      hint(flag, known, 'one of another tool goes into test/book/flags.ts'),
    )
}

function every({ options, commands }: Command): Option[] {
  return [...options, ...commands.flatMap(every)]
}

function checkTool(tool: string, words: readonly string[]): void {
  const known = FLAGS[tool] ?? []
  const unknown = words
    .map(word => word.split('=')[0]!)
    .find(word => /^--\w/.test(word) && !known.includes(word))
  if (unknown)
    throw new BookError(
      `${tool} is not known to have a flag ${unknown}`,
      hint(unknown, known, 'if it has, add it to test/book/flags.ts'),
    )
}
