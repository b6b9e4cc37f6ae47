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
    load: async () => (await import('../../chapters/1-cli/step.ts')).step as Step,
    mutants: async () => (await import('../../chapters/1-cli/mutants.ts')).mutants as Mutant[],
  },
  {
    name: 'namespaces',
    load: async () => (await import('../../chapters/2-namespaces/step.ts')).step as Step,
    mutants: async () => (await import('../../chapters/2-namespaces/mutants.ts')).mutants as Mutant[],
  },
  {
    name: 'root',
    load: async () => (await import('../../chapters/3-root/step.ts')).step as Step,
    mutants: async () => (await import('../../chapters/3-root/mutants.ts')).mutants as Mutant[],
  },
  {
    name: 'limits',
    load: async () => (await import('../../chapters/4-limits/step.ts')).step as Step,
    mutants: async () => (await import('../../chapters/4-limits/mutants.ts')).mutants as Mutant[],
  },
  {
    name: 'layers',
    load: async () => (await import('../../chapters/5-layers/step.ts')).step as Step,
    mutants: async () => (await import('../../chapters/5-layers/mutants.ts')).mutants as Mutant[],
  },
  {
    name: 'network',
    load: async () => (await import('../../chapters/6-network/step.ts')).step as Step,
    mutants: async () => (await import('../../chapters/6-network/mutants.ts')).mutants as Mutant[],
  },
  {
    name: 'run',
    load: async () => (await import('../../chapters/7-run/step.ts')).step as Step,
    mutants: async () => (await import('../../chapters/7-run/mutants.ts')).mutants as Mutant[],
  },
]
