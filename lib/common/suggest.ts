import { certain } from './certain.ts'
/**
 * The candidate that `word` was most likely meant to be; undefined if none is near. Near means one edit (a letter changed,
 * removed or added, or two neighbours swapped) for every three letters, and at least one. Ignores case, and takes `-` and `_`
 * as the same.
 */
export function suggest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = plain(word)
  let best: string | undefined
  let fewest = Math.max(1, Math.floor(wanted.length / 3)) + 1
  for (const candidate of candidates) {
    const edits = distance(wanted, plain(candidate))
    if (edits < fewest) [best, fewest] = [candidate, edits]
  }
  return best
}

/** What to do about a word that is not among the candidates: suggests the nearest one, else `otherwise`. */
export function hint(word: string, candidates: Iterable<string>, otherwise: string): string {
  const near = suggest(word, candidates)
  return near ? `did you mean ${near}?` : otherwise
}

const plain = (word: string) => word.toLowerCase().replaceAll('-', '_')

const at = (row: readonly number[], column: number) => certain(row[column])

/** Damerau-Levenshtein (optimal string alignment): insertions, deletions, substitutions and swaps of neighbours. */
function distance(a: string, b: string): number {
  // row[j]: edits from the letters of `a` read so far to the first j letters of `b`
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(last, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      row[j] = Math.min(
        replaced,
        at(last, j) + 1,
        at(row, j - 1) + 1,
        swapped ? at(beforeLast, j - 2) + 1 : Infinity,
      )
    }
    beforeLast = last
    last = row
  }
  return at(last, b.length)
}
