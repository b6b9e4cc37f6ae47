import type { Block } from './blocks.ts'
import { Normaliser } from './normalise.ts'
import { attempt, type Problem } from './problem.ts'
import type { Recording } from './recording.ts'
import { choose } from './slices.ts'

/**
 * What the blocks of one command on a page show of its recording. Names for what varies are shared by them, so that the
 * same process has the same name in all of them.
 */
export function recordedBodies(
  file: string,
  blocks: readonly Block[],
  { output, status }: Recording,
  problems: Problem[],
): Map<Block, string[]> {
  const bodies = new Map<Block, string[]>()
  const names = new Normaliser()
  const lines = output.trimEnd().split('\n')
  for (const block of blocks) {
    if (block.asks.kind !== 'recording') continue
    const { command, slices } = block.asks.recording
    attempt(problems, { file, line: block.line }, () => {
      const chosen = names.lines(
        choose(lines, slices, { ends: true, of: `${command}, which ends with "${lines.at(-1)}",` }),
      )
      bodies.set(block, [`$ ${command}`, ...chosen, ...(status === 0 ? [] : [`[exit status ${status}]`])])
    })
  }
  return bodies
}
