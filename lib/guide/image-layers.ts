import { join } from 'node:path'
import type { Plan } from '../container/part.ts'
import { plannedLayers } from '../image/store.ts'

/**
 * Puts a step's container on the layers of the default image, under its own layer: the `plan` hook of the steps
 * that have the layers part. Nothing is made: the part does that.
 */
export function onImageLayers(plan: Plan): void {
  const folder = join(plan.ledger.dataFolder, 'containers', plan.id)
  plan.layers = { lower: plannedLayers('default').toReversed(), folder }
  plan.rootfs = join(folder, 'merged')
  plan.spec.root.path = plan.rootfs
}
