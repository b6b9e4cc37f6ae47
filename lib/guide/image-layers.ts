import { join } from 'node:path'
import type { Container } from '../container/part.ts'
import { plannedLayers } from '../image/store.ts'

/**
 * Puts a step's container on the layers of the default image, under one of its own: the `container` hook of the steps
 * that have the layers part. Nothing is made: the part does that.
 */
export function onImageLayers(container: Container): void {
  const folder = join(container.ledger.dataFolder, 'containers', container.id)
  container.layers = { lower: plannedLayers('default').toReversed(), folder }
  container.rootfs = join(folder, 'merged')
  container.spec.root.path = container.rootfs
}
