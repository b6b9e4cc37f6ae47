import type { SourceLine } from '../common/errors.ts'

/** A call as it is printed, and the line that recorded it. */
export interface Recorded {
  call: string
  at?: SourceLine
  /** whether the child continues after a refusal: an attempt, or a call with allowed errors */
  mayFail?: boolean
}

/** A line of two tapes side by side: a call of the learner's, one of the reference's, or one that both have. */
export type Row = { yours: Recorded; reference?: string } | { yours?: undefined; reference: string }

export const callOf = ({ yours, reference }: Row) => (yours ? yours.call : reference)

/** Aligns two tapes at a longest common subsequence; the calls that only one of them has stand between. */
export function align(yours: readonly Recorded[], reference: readonly string[]): Row[] {
  const lengths: number[][] = []
  /** how many calls the rests from i and from j have in common */
  const inCommon = (i: number, j: number) => lengths[i]?.[j] ?? 0
  for (const [i, { call }] of [...yours.entries()].reverse()) {
    const row: number[] = (lengths[i] = [])
    for (let j = reference.length - 1; j >= 0; j--)
      row[j] =
        call === reference[j] ? inCommon(i + 1, j + 1) + 1 : Math.max(inCommon(i + 1, j), inCommon(i, j + 1))
  }
  const rows: Row[] = []
  let [i, j] = [0, 0]
  while (i < yours.length || j < reference.length) {
    const [recorded, wanted] = [yours[i], reference[j]]
    if (recorded && recorded.call === wanted) {
      rows.push({ yours: recorded, reference: wanted })
      i++
      j++
    } else if (recorded && (wanted === undefined || inCommon(i + 1, j) >= inCommon(i, j + 1))) {
      rows.push({ yours: recorded })
      i++
    } else if (wanted !== undefined) {
      rows.push({ reference: wanted })
      j++
    }
  }
  return rows
}
