import { byCommand } from './command-checks.ts'
import { rights } from './rights-checks.ts'
import { whole } from './whole-checks.ts'

/** The checks of this chapter, by topic. */
export const checks = { ...rights, ...whole, ...byCommand }
