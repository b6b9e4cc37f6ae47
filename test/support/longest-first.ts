import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Where nothing was measured yet, as in a fresh clone: files that take long, the longest first. */
const LONG = [
  'fire/operations',
  'labs/walk',
  'labs/dev-check',
  'fire/moments',
  'book/check',
  'book/site',
  'cli/step',
  'cli/doctor',
  'machines/any-machine',
  'attacks/attacked',
  'labs/check',
  'mutants/7-run',
  'look/view',
  'cli/run',
  'cli/escape',
  'cli/trace',
  'mutants/4-limits',
  'mutants/6-network',
  'chapters/4-limits',
  'setup/launcher',
  'labs/mine',
]

/** Begins with the files that take longest, of whatever project: what is left at the end is short, and no processor waits. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = (spec: TestSpecification) => {
      const place = LONG.findIndex(name => spec.moduleId.includes(`/${name}.`))
      const measured = this.ctx.cache.getTestSpecificationResult(spec)?.duration
      return measured ?? (place === -1 ? 0 : 1e6 - place)
    }
    return files.toSorted((a, b) => rank(b) - rank(a))
  }
}
