import type { Token } from 'markdown-it'
import { BookError, type Problem } from './problem.ts'

/** What a recording's output must match as it is, before anything in it is replaced. */
export interface Fact {
  line: number
  pattern: RegExp
}

const COMMENT = /<!--\s*fact\b(.*?)-->/gs
const FACT = /^:\s*\/(.*)\/([a-z]*)$/s

/** The facts that stand in an HTML token: `<!-- fact: /memory\.max +67108864/ -->`. Throws a BookError. */
export function readFacts(token: Token): Fact[] {
  return [...token.content.matchAll(COMMENT)].map(([comment, said = ''], i) => {
    const [, source, flags = ''] = FACT.exec(said.trim()) ?? []
    if (!source) throw new BookError(`"${comment}" is no fact`, 'write <!-- fact: /regular expression/ -->')
    const pattern = compile(source, flags)
    if (pattern.test(''))
      throw new BookError(
        `the fact ${pattern} holds for anything`,
        'let it ask for something that can be missing',
      )
    return { line: (token.map?.[0] ?? 0) + 1 + i, pattern }
  })
}

function compile(source: string, flags: string): RegExp {
  try {
    return new RegExp(source, `${flags.replace(/[gmy]/g, '')}m`) // ^ and $ are those of lines
  } catch (error) {
    throw new BookError(`/${source}/${flags}: ${(error as Error).message}`, 'correct the regular expression')
  }
}

/** The facts that do not hold for a text; `of` says what it is. */
export function brokenFacts(
  file: string,
  facts: readonly Fact[],
  { of, text }: { of: string; text: string },
): Problem[] {
  return facts
    .filter(({ pattern }) => !pattern.test(text))
    .map(({ line, pattern }) => ({
      file,
      line,
      what: `${of} does not match ${pattern}`,
      remedy: 'find out whether the text or the code is wrong',
    }))
}
