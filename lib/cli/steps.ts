import type { Step } from '../guide/step.ts'

/** The chapters, each loaded only when it is run. */
export const steps: { name: string; load(): Promise<Step> }[] = [
  { name: 'cli', load: async () => (await import('../../chapters/1-cli/step.ts')).step as Step },
  {
    name: 'namespaces',
    load: async () => (await import('../../chapters/2-namespaces/step.ts')).step as Step,
  },
  { name: 'root', load: async () => (await import('../../chapters/3-root/step.ts')).step as Step },
  { name: 'limits', load: async () => (await import('../../chapters/4-limits/step.ts')).step as Step },
  { name: 'layers', load: async () => (await import('../../chapters/5-layers/step.ts')).step as Step },
  { name: 'network', load: async () => (await import('../../chapters/6-network/step.ts')).step as Step },
  { name: 'run', load: async () => (await import('../../chapters/7-run/step.ts')).step as Step },
]
