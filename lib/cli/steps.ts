import { type Chapter, chapter } from '../guide/chapters.ts'
import type { Mutant } from '../guide/mutant.ts'
import type { Step } from '../guide/step.ts'

interface Row extends Chapter {
  load(): Promise<Step>
  mutants(): Promise<Mutant[]>
}

/** The chapters, each loaded only when it is run. */
export const steps: Row[] = [
  {
    ...chapter('cli'),
    load: async () => (await import('../../chapters/1-cli/step.ts')).step,
    mutants: async () => (await import('../../chapters/1-cli/mutants.ts')).mutants,
  },
  {
    ...chapter('namespaces'),
    load: async () => (await import('../../chapters/2-namespaces/step.ts')).step,
    mutants: async () => (await import('../../chapters/2-namespaces/mutants.ts')).mutants,
  },
  {
    ...chapter('root'),
    load: async () => (await import('../../chapters/3-root/step.ts')).step,
    mutants: async () => (await import('../../chapters/3-root/mutants.ts')).mutants,
  },
  {
    ...chapter('limits'),
    load: async () => (await import('../../chapters/4-limits/step.ts')).step,
    mutants: async () => (await import('../../chapters/4-limits/mutants.ts')).mutants,
  },
  {
    ...chapter('layers'),
    load: async () => (await import('../../chapters/5-layers/step.ts')).step,
    mutants: async () => (await import('../../chapters/5-layers/mutants.ts')).mutants,
  },
  {
    ...chapter('network'),
    load: async () => (await import('../../chapters/6-network/step.ts')).step,
    mutants: async () => (await import('../../chapters/6-network/mutants.ts')).mutants,
  },
  {
    ...chapter('run'),
    load: async () => (await import('../../chapters/7-run/step.ts')).step,
    mutants: async () => (await import('../../chapters/7-run/mutants.ts')).mutants,
  },
]
