import { MinilabError } from '../../common/errors.ts'

/** The unit of a container: a scope, which is a unit for processes that others have started: systemd.scope(5). */
export interface Unit {
  name: string
  slice: string
  /** what its name is made from: the last part of linux.cgroupsPath */
  container: string
  /** its cgroup in each hierarchy, from the hierarchy's root */
  path: string
}

/** Errors in runc's words: opencontainers/runc, libcontainer/specconv/spec_linux.go, and opencontainers/cgroups, systemd/common.go. */
const invalid = (message: string, remedy: string) => new MinilabError('usage', message, remedy)

/** The unit that linux.cgroupsPath names: `slice:prefix:name`; without one, as with runc, a scope of the id in the default slice. */
export function unitOf(cgroupsPath: string | undefined, id: string): Unit {
  const parts = cgroupsPath === undefined ? ['', 'minilab', id] : cgroupsPath.split(':')
  const [slice = '', prefix = '', container = ''] = parts
  if (parts.length !== 3)
    throw invalid(
      `expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got ${JSON.stringify(cgroupsPath)} instead`,
      'leave out --systemd-cgroup, if it is a path',
    )
  if (container.endsWith('.slice'))
    throw invalid(`linux.cgroupsPath ${JSON.stringify(cgroupsPath)} names a slice`, 'name a scope')
  const name = `${prefix}-${container}.scope`
  // unit_name_is_valid(), systemd, src/basic/unit-name.c. No other name can lead out of a folder
  if (!/^[\w:.\\@-]{1,255}$/.test(name))
    throw invalid(`invalid unit name: ${name}`, 'correct linux.cgroupsPath')
  const inSlice = slice || 'system.slice'
  return { name, slice: inSlice, container, path: `${expand(inSlice).replace(/\/$/, '')}/${name}` }
}

/** The cgroup of a slice: `a-b.slice` is in `a.slice`, systemd.slice(5). */
function expand(slice: string): string {
  const wrong = () => invalid(`invalid slice name: ${slice}`, 'as system.slice, or a-b.slice')
  if (!/^[\w:.\\@-]+\.slice$/.test(slice)) throw wrong()
  const name = slice.slice(0, -'.slice'.length)
  if (name === '-') return '/'
  const words = name.split('-')
  if (words.includes('')) throw wrong()
  return words.map((_, i) => `/${words.slice(0, i + 1).join('-')}.slice`).join('')
}
