import { join } from 'node:path'
import type { Plan } from '../container/part.ts'
import { plannedLayers } from '../image/store.ts'

/**
 * Plans a step's container with its own layer on the layers of the default image: the `plan` hook of steps that have the layers
 * part. Makes nothing; the part does that.
 */
export function onImageLayers(plan: Plan): void {
  const folder = join(plan.ledger.dataFolder, 'containers', plan.id)
  plan.layers = { lower: plannedLayers('default').toReversed(), folder }
  plan.rootfs = join(folder, 'merged')
  plan.spec.root.path = plan.rootfs
}
