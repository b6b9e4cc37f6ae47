import { readFileSync } from 'node:fs'

/** One line of /proc/<pid>/mountinfo: proc_pid_mountinfo(5). */
export interface Mount {
  id: number
  parent: number
  /** major:minor of the file system */
  device: string
  /** the directory of the file system that is mounted here */
  root: string
  /** the mount point, as seen from the reader's root */
  target: string
  options: string[]
  /** `shared:N`, `master:N`, `propagate_from:N`, `unbindable`; none for a private mount */
  propagation: string[]
  type: string
  source: string
  superOptions: string[]
}

/** The mounts that a process sees, in the order in which they were made. */
export function mountinfo(pid: number | 'self' = 'self'): Mount[] {
  return parseMountinfo(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'))
}

export function parseMountinfo(text: string): Mount[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map(line => {
      const [before = '', after = ''] = line.split(' - ')
      const [id, parent, device = '', root = '', target = '', options = '', ...propagation] =
        before.split(' ')
      const [type = '', source = '', superOptions = ''] = after.split(' ')
      return {
        id: Number(id),
        parent: Number(parent),
        device,
        root: unescape(root),
        target: unescape(target),
        options: options.split(','),
        propagation,
        type,
        source: unescape(source),
        superOptions: superOptions.split(','),
      }
    })
}

/**
 * The mount that contains an absolute path without symbolic links: from the root mount downwards, at each mount take
 * the first mount point on the way. (The order of the lines does not tell: an initramfs mounts /proc before "/".)
 */
export function mountOf(path: string, mounts = mountinfo()): Mount | undefined {
  const onTheWay = mounts
    .filter(({ target }) => path === target || path.startsWith(target === '/' ? '/' : target + '/'))
    .toSorted((a, b) => a.target.length - b.target.length)
  const listed = new Set(mounts.map(m => m.id))
  // the root mount's parent is not visible, or is the mount itself
  let found = onTheWay.find(m => !listed.has(m.parent) || m.parent === m.id)
  for (let next = found; next; next = onTheWay.find(m => m.parent === found?.id && m !== found)) found = next
  return found
}

/** The kernel writes space, tab, newline and backslash as octal: fs/proc_namespace.c mangle(). */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)))
}
