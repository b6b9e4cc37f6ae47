import { commandMutants } from './command-mutants.ts'
import { partMutants } from './part-mutants.ts'

/** Wrong ways to build this chapter's part: the container itself, and the commands about it. */
export const mutants = [...partMutants, ...commandMutants]
