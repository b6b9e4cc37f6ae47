import { resolveMerged } from '../../image/merged-file.ts'
import { MinilabError } from '../../common/errors.ts'
import { quote } from '../../kernel/syscalls/argument-kinds.ts'
import type { MountSpec } from '../spec.ts'

/**
 * The volumes at the places that their paths mean in the container: symbolic links are followed, as `/var/run` is often a link to
 * `/run`. They are mounted as Docker does it, those with fewer names in their paths first; a later one that lies in an earlier one meets
 * its links, and not those of the image. Throws a usage error if a link leads into a kernel tree, or to /dev.
 */
export function placeVolumes(volumes: readonly MountSpec[], layersTopFirst: readonly string[]): MountSpec[] {
  const placed: MountSpec[] = []
  for (const volume of volumes.toSorted(byDepth)) {
    const destination = resolveMerged(layersTopFirst, volume.destination, placed)
    if (destination !== volume.destination && /^[/](proc|sys|dev)([/]|$)|^[/]$/.test(destination))
      throw new MinilabError(
        'usage',
        `${quote(volume.destination)} leads to ${quote(destination)} through a link in the image`,
        'choose another destination, or correct the image',
      )
    placed.push({ ...volume, destination })
  }
  const twice = sharedPlace(placed)
  if (twice !== undefined)
    throw new MinilabError(
      'usage',
      `two volumes have the destination ${quote(twice)}, one through a link in the image`,
      'leave one out, or choose another destination',
    )
  return placed.sort(byDepth) // a link can lead to a place above an earlier one
}

const depth = ({ destination }: MountSpec) => destination.split('/').length
/** Those of the same depth stay in the given order: sort() is stable. */
const byDepth = (one: MountSpec, other: MountSpec) => depth(one) - depth(other)

/** The place that two volumes share; undefined if each has its own. The later one would cover the other. */
export function sharedPlace(volumes: readonly MountSpec[]): string | undefined {
  const places = volumes.map(({ destination }) => destination)
  return places.find((place, i) => places.indexOf(place) !== i)
}
