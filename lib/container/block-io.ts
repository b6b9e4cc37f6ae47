import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { MinilabError } from '../common/errors.ts'
import type { Cgroup } from '../kernel/cgroup/cgroup.ts'
import type { BlockIOSpec } from './spec.ts'

/** A rate of config.json's blockIO: its file on v1, and the key in v2's io.max. */
const RATES = {
  throttleReadBpsDevice: ['blkio.throttle.read_bps_device', 'rbps'],
  throttleWriteBpsDevice: ['blkio.throttle.write_bps_device', 'wbps'],
  throttleReadIOPSDevice: ['blkio.throttle.read_iops_device', 'riops'],
  throttleWriteIOPSDevice: ['blkio.throttle.write_iops_device', 'wiops'],
} as const

/** Writes the limits on disks: Documentation/admin-guide/cgroup-v1/blkio-controller.rst, cgroup-v2.rst, "IO Interface Files". */
export function setBlockIO(cgroup: Cgroup, spec: BlockIOSpec = {}): void {
  const { weight, weightDevice = [] } = spec
  if (weight) setWeight(cgroup, String(weight))
  for (const { major, minor, weight } of weightDevice)
    if (weight) setWeight(cgroup, `${major}:${minor} ${weight}`)
  for (const [name, [file, key]] of Object.entries(RATES))
    for (const { major, minor, rate } of spec[name as keyof typeof RATES] ?? []) {
      const place = folder(cgroup)
      if (place.version === 1) cgroup.write(join(place.path, file), `${major}:${minor} ${rate}`)
      else cgroup.write(join(place.path, 'io.max'), `${major}:${minor} ${key}=${rate || 'max'}`)
    }
}

/** Only an I/O scheduler can weigh: BFQ has its own file, and takes the same numbers on both versions. */
function setWeight(cgroup: Cgroup, value: string): void {
  const place = folder(cgroup)
  const files = place.version === 1 ? ['blkio.weight', 'blkio.bfq.weight'] : ['io.bfq.weight']
  const file = files.map(name => join(place.path, name)).find(path => existsSync(path))
  if (!file)
    throw new MinilabError(
      'usage',
      'linux.resources.blockIO.weight: no I/O scheduler of this kernel can weigh',
      'leave it out, or use the scheduler bfq',
    )
  cgroup.write(file, value)
}

function folder(cgroup: Cgroup): { version: 1 | 2; path: string } {
  const place = cgroup.controller('blkio') ?? cgroup.controller('io')
  if (place) return place
  throw new MinilabError(
    'limited',
    'linux.resources.blockIO: no mounted cgroup hierarchy has the controller',
    'mount it, or leave the limit out',
  )
}
