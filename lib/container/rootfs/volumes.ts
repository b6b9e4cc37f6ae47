import { resolveMerged } from '../../image/merged-file.ts'
import { MinilabError } from '../../common/errors.ts'
import { quote } from '../../kernel/syscalls/argument-kinds.ts'
import type { MountSpec } from '../spec.ts'

/**
 * The volumes at the places that their paths mean in the image: symbolic links are followed, as `/var/run` is often a link to
 * `/run`. Each comes before the volumes that lie in it. Throws a usage error if a link leads into a kernel tree, or to /dev.
 */
export function placeVolumes(volumes: readonly MountSpec[], layersTopFirst: readonly string[]): MountSpec[] {
  const placed = volumes.map(volume => {
    const destination = resolveMerged(layersTopFirst, volume.destination)
    if (destination !== volume.destination && /^[/](proc|sys|dev)([/]|$)|^[/]$/.test(destination))
      throw new MinilabError(
        'usage',
        `${quote(volume.destination)} leads to ${quote(destination)} through a link in the image`,
        'choose another destination, or correct the image',
      )
    return { ...volume, destination }
  })
  const twice = sharedPlace(placed)
  if (twice !== undefined)
    throw new MinilabError(
      'usage',
      `two volumes have the destination ${quote(twice)}, one through a link in the image`,
      'leave one out, or choose another destination',
    )
  const depth = ({ destination }: MountSpec) => destination.split('/').length
  return placed.sort((one, other) => depth(one) - depth(other)) // stable: those of the same depth stay in the given order
}

/** The place that two volumes share; undefined if each has its own. The later one would cover the other. */
export function sharedPlace(volumes: readonly MountSpec[]): string | undefined {
  const places = volumes.map(({ destination }) => destination)
  return places.find((place, i) => places.indexOf(place) !== i)
}
