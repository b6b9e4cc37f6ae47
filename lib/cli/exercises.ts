import { type Chapter, chapter } from '../guide/chapters.ts'
import type { Exercise, Exported } from '../labs/exercise.ts'

interface Row extends Chapter {
  load(): Promise<Exercise>
  solution(): Promise<Exported>
}

/** The labs, by the numbers and names of their chapters; each is loaded only when it is needed. */
export const exercises: Row[] = [
  {
    ...chapter('cli'),
    load: async () => (await import('../../labs/1-cli/exercise.ts')).exercise,
    solution: () => import('../../labs/1-cli/solution.ts'),
  },
  {
    ...chapter('namespaces'),
    load: async () => (await import('../../labs/2-namespaces/exercise.ts')).exercise,
    solution: () => import('../../labs/2-namespaces/solution.ts'),
  },
  {
    ...chapter('root'),
    load: async () => (await import('../../labs/3-root/exercise.ts')).exercise,
    solution: () => import('../../labs/3-root/solution.ts'),
  },
  {
    ...chapter('limits'),
    load: async () => (await import('../../labs/4-limits/exercise.ts')).exercise,
    solution: () => import('../../labs/4-limits/solution.ts'),
  },
  {
    ...chapter('layers'),
    load: async () => (await import('../../labs/5-layers/exercise.ts')).exercise,
    solution: () => import('../../labs/5-layers/solution.ts'),
  },
  {
    ...chapter('network'),
    load: async () => (await import('../../labs/6-network/exercise.ts')).exercise,
    solution: () => import('../../labs/6-network/solution.ts'),
  },
  {
    ...chapter('run'),
    load: async () => (await import('../../labs/7-run/exercise.ts')).exercise,
    solution: () => import('../../labs/7-run/solution.ts'),
  },
]

/** All labs, or those whose rows `wanted` accepts. */
export const loadLabs = (wanted: (row: Row) => boolean = () => true): Promise<Exercise[]> =>
  Promise.all(exercises.filter(wanted).map(({ load }) => load()))
