const WORD = /(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s'"\\;|&()])+|[;|&()\n]/g
const OPERATOR = /^[;|&()\n]$/
/** What may stand before the command itself. */
const BEFORE = /^(sudo|exec|time|env|[A-Z_]+=.*)$/

/** The commands of a command line of sh, each in words, without quotes and comments. */
export function commands(text: string): string[][] {
  const line = text.replace(/(^|\s)#.*$/gm, '$1').replace(/(^|\s)\[|\](?=\s|$)/g, '$1') // [FLAG], as in a synopsis
  const all: string[][] = [[]]
  for (const [word] of line.matchAll(WORD))
    if (OPERATOR.test(word)) all.push([])
    else all.at(-1)!.push(word.replace(/'([^']*)'|"([^"]*)"|\\(.)/g, '$1$2$3'))
  return all.map(withoutPrefix).filter(words => words.length > 0)
}

function withoutPrefix(words: string[]): string[] {
  const at = words.findIndex(word => !BEFORE.test(word))
  return at === -1 ? [] : words.slice(at)
}
