import { mutants as cables } from './cable-mutants.ts'
import { mutants as experiments } from './experiment-mutants.ts'

/** Wrong ways to build this chapter's part: the cable, and what the host does with its packets. */
export const mutants = [...cables, ...experiments]
