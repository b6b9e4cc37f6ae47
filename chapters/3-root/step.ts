import type { Step } from '../../lib/guide/step.ts'
export const step = {} as Step
