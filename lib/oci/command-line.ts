import { MinilabError } from '../common/errors.ts'
import { hint } from '../common/suggest.ts'

/** A flag: with a value, or without; a reason if we know it and cannot do what it asks for. */
type Flag =
  | { kind: 'value' | 'switch'; short?: string; many?: boolean }
  | { refused: string; value?: boolean }
export type FlagTable = Record<string, Flag>

/** The flags of a command as they were given. */
export class Flags {
  readonly #given = new Map<string, string[]>()

  set(name: string, value: string): void {
    this.#given.set(name, [...(this.#given.get(name) ?? []), value])
  }
  /** the last value of a flag */
  value(name: string): string | undefined {
    return this.#given.get(name)?.at(-1)
  }
  values(name: string): string[] {
    return this.#given.get(name) ?? []
  }
  has(name: string): boolean {
    return this.#given.get(name)?.at(-1) === 'true'
  }
}

/**
 * Takes the flags at the beginning of a command line, as runc does (Go's package flag): one dash or two, the value after `=` or as the next
 * word, a switch with `=false`; the first word that is no flag ends them. Throws for an unknown flag, and for one that we refuse.
 */
export function takeFlags(words: readonly string[], table: FlagTable): { flags: Flags; rest: string[] } {
  const flags = new Flags()
  const rest = [...words]
  for (let word = rest[0]; word !== undefined && /^-./.test(word); word = rest[0]) {
    rest.shift()
    if (word === '--') break
    const [, given = '', , inline] = /^--?([^=]+)(=(.*))?$/s.exec(word) ?? []
    const [name, flag] = find(given, table)
    if ('refused' in flag) {
      if (!flag.value && inline === 'false') continue
      throw new MinilabError('usage', `--${name} is not supported`, flag.refused)
    }
    const value = flag.kind === 'switch' ? (inline ?? 'true') : (inline ?? rest.shift())
    if (value === undefined)
      throw new MinilabError('usage', `flag needs an argument: -${name}`, 'give a value')
    flags.set(name, value)
  }
  return { flags, rest }
}

function find(given: string, table: FlagTable): [string, Flag] {
  const found = Object.entries(table).find(
    ([name, flag]) => name === given || ('short' in flag && flag.short === given),
  )
  if (found) return found
  throw new MinilabError(
    'usage',
    `flag provided but not defined: -${given}`,
    hint(given, Object.keys(table), 'minilab-oci --help lists them'),
  )
}
