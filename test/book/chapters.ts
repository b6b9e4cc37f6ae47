import { steps } from '../../lib/cli/steps.ts'

/** What the book has to know of a step. */
export interface Chapter {
  number: number
  /** as in the name of its page: `3-root` */
  name: string
  title: string
  /** the titles of its stages */
  stages: string[]
  mutants: string[]
}

/** The seven chapters as the code has them. */
export async function chapters(): Promise<Chapter[]> {
  return await Promise.all(
    steps.map(async ({ load, mutants }) => {
      const { number, name, title, stages } = await load()
      const known = await mutants()
      return {
        number,
        name,
        title,
        stages: stages.map(stage => stage.title),
        mutants: known.map(mutant => mutant.name),
      }
    }),
  )
}
