import type { Mutant } from '../guide/mutant.ts'
import type { Step } from '../guide/step.ts'

interface Chapter {
  name: string
  load(): Promise<Step>
  mutants(): Promise<Mutant[]>
}

/** The chapters, each loaded only when it is run. */
export const steps: Chapter[] = [
  {
    name: 'cli',
    load: async () => (await import('../../chapters/1-cli/step.ts')).step,
    mutants: async () => (await import('../../chapters/1-cli/mutants.ts')).mutants,
  },
  {
    name: 'namespaces',
    load: async () => (await import('../../chapters/2-namespaces/step.ts')).step,
    mutants: async () => (await import('../../chapters/2-namespaces/mutants.ts')).mutants,
  },
  {
    name: 'root',
    load: async () => (await import('../../chapters/3-root/step.ts')).step,
    mutants: async () => (await import('../../chapters/3-root/mutants.ts')).mutants,
  },
  {
    name: 'limits',
    load: async () => (await import('../../chapters/4-limits/step.ts')).step,
    mutants: async () => (await import('../../chapters/4-limits/mutants.ts')).mutants,
  },
  {
    name: 'layers',
    load: async () => (await import('../../chapters/5-layers/step.ts')).step,
    mutants: async () => (await import('../../chapters/5-layers/mutants.ts')).mutants,
  },
  {
    name: 'network',
    load: async () => (await import('../../chapters/6-network/step.ts')).step,
    mutants: async () => (await import('../../chapters/6-network/mutants.ts')).mutants,
  },
  {
    name: 'run',
    load: async () => (await import('../../chapters/7-run/step.ts')).step,
    mutants: async () => (await import('../../chapters/7-run/mutants.ts')).mutants,
  },
]
