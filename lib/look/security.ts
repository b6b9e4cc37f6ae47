import { readFileSync } from 'node:fs'
import { capabilityNames } from '../kernel/process/capabilities.ts'
import { status } from '../kernel/process/procfs.ts'
import { type Readable, reading } from './readable.ts'
import type { IdRange, Security } from './snapshot-shape.ts'

const SECCOMP = ['off', 'strict', 'filter'] as const // SECCOMP_MODE_* of linux/seccomp.h

/** What the first process of a container may do: proc_pid_status(5). Throws ENOENT or ESRCH if it has ended. */
export function securityOf(pid: number): Security {
  const fields = status(pid)
  const capabilities = capabilityNames(BigInt(`0x${fields.CapEff ?? 0}`))
  const last = Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'))
  return {
    capabilities,
    allCapabilities: capabilities.length === last + 1,
    noNewPrivileges: fields.NoNewPrivs === '1',
    seccomp: SECCOMP[Number(fields.Seccomp ?? 0)] ?? 'off',
    seccompFilters: Number(fields.Seccomp_filters ?? 0),
    uidMap: idRanges(pid, 'uid_map'),
    gidMap: idRanges(pid, 'gid_map'),
  }
}

/** The lines of /proc/<pid>/uid_map or gid_map. The ids outside are as we see them. */
export function idRanges(pid: number, file: 'uid_map' | 'gid_map'): Readable<IdRange[]> {
  const path = `/proc/${pid}/${file}`
  return reading(path, () =>
    readFileSync(path, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map(line => {
        const [inside = NaN, outside = NaN, count = NaN] = line.trim().split(/\s+/).map(Number)
        return { inside, outside, count }
      }),
  )
}
