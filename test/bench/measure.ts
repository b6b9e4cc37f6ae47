import { spawnSync } from 'node:child_process'

/** Does something once; what it took in milliseconds, or another number that is compared. */
export type Run = () => number | Promise<number>

/** One figure of ours, and what it is compared with in the same run. */
export interface Row {
  figure: string
  unit: 'ms' | 'KiB'
  rounds: number
  ours: Run
  /** by name: what the peer does, and how many times as much as the peer we may need; undefined: it is only shown */
  peers: Record<string, { run: Run; reach?: number }>
  /** makes what ours and the peers need for all rounds, and is disposed of after them */
  around?: () => Disposable
  /** where its time goes, if an aim is not reached: a sentence or two for the page */
  parts?: string
}

export interface Measured {
  figure: string
  unit: Row['unit']
  /** the median */
  ours: number
  peers: { name: string; median: number; ratio: number; reach?: number }[]
  parts?: string
  /** peers that are not here, and why */
  missing: { name: string; why: string }[]
}

/** Runs a whole command to its end: milliseconds. Throws what it said, if it fails. */
export function command(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): number {
  const began = performance.now()
  const { status, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  if (error || status !== 0) throw error ?? new Error(stderr.trim().split('\n').at(-1) || `status ${status}`)
  return performance.now() - began
}

const median = (numbers: readonly number[]) =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN

/** Measures ours and all peers in turn, round after round: what else the machine does then slows all of them. */
export async function measure({ figure, unit, rounds, ours, peers, around, parts }: Row): Promise<Measured> {
  using _ = around?.()
  const all = new Map<string, Run>([['', ours]])
  const missing: Measured['missing'] = []
  for (const [name, { run }] of Object.entries(peers)) {
    try {
      await run() // the first one fills caches
      all.set(name, run)
    } catch (error) {
      missing.push({ name, why: (error as Error).message })
    }
  }
  await ours()
  const measured = new Map<string, number[]>()
  for (let round = 0; round < rounds; round++)
    for (const [name, run] of all) measured.set(name, [...(measured.get(name) ?? []), await run()])
  const our = median(measured.get('') ?? [])
  return {
    figure,
    unit,
    ours: our,
    peers: Object.entries(peers).flatMap(([name, { reach }]) => {
      const theirs = measured.get(name)
      if (!theirs) return []
      return {
        name,
        median: median(theirs),
        ratio: our / median(theirs),
        ...(reach !== undefined && { reach }),
      }
    }),
    ...(parts !== undefined && { parts }),
    missing,
  }
}

/** `0.82 × docker run (≤ 0.35, not reached)`, a line for each peer. */
export function print({ figure, unit, ours, peers, missing }: Measured): void {
  console.log(`${figure}: ${ours.toFixed(ours < 10 ? 2 : 0)} ${unit}`)
  for (const { name, median, ratio, reach } of peers) {
    const asked =
      reach === undefined ? '' : `  ≤ ${reach} asked: ${ratio <= reach ? 'reached' : 'not reached'}`
    console.log(
      `  ${ratio.toFixed(2).padStart(6)} × ${name.padEnd(34)} ${median.toFixed(median < 10 ? 2 : 0).padStart(6)} ${unit}${asked}`,
    )
  }
  for (const { name, why } of missing) console.log(`       – ${name.padEnd(34)} not here: ${why}`)
}
