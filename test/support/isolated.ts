import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { hierarchies, listFile } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { writeControl } from '../../lib/kernel/cgroup/control-file.ts'
import { children, linkNames } from '../../lib/kernel/process/procfs.ts'

/**
 * A place where a test is alone with its cgroups and links, whatever other tests do: a network namespace, and a mount
 * namespace in which /sys/fs/cgroup shows a part of each hierarchy as if it were all of it; with `pids` with its
 * processes, too. For root.
 */
export interface Isolated {
  /** what to write in front of a command that shall run there */
  wrapper: string[]
  /** the names of the links there */
  links(): string[]
  /** the cgroups there, as paths that are valid there */
  cgroups(): string[]
}

export async function isolated({ pids = false } = {}): Promise<Isolated> {
  const name = `mltest-${process.pid}-${count++}`
  const parts = hierarchies().map(({ mount, version }) => {
    const path = join(mount, name)
    if (version === 2) handDown(mount)
    mkdirSync(path)
    onTestFinished(() => rmdirSync(path)) // fails where something is left in it
    return { mount, path }
  })
  // a bind mount beside it, then the same in its place: the whole hierarchy must not be mounted there any more
  const script = parts
    .map(({ mount, path }) => `mount --bind ${path} /mnt; umount -l ${mount}; mount --move /mnt ${mount}`)
    .join('\n')
  const kinds = ['--mount', '--net', ...(pids ? ['--pid', '--fork', '--kill-child', '--mount-proc'] : [])]
  const inside = `${script}\nip link set lo up\necho ready\nread -r end || { ${pids ? ABORT : ''} exit 1; }`
  // if the tests are killed, nobody says that it is the end: then the directories go from here
  const remove = `find ${parts.map(({ path }) => path).join(' ')} -depth -type d -exec rmdir {} \\;`
  // a process that has just died may be counted for a moment longer, and v1 has no event for it
  const guard = `unshare "$@" || for try in 1 2 3 4 5 6 7 8 9; do ${remove} 2>/dev/null; sleep 0.2; done`
  // bash, as process 1 there, reaps orphans while it reads; dash does not
  const holder = spawn('/bin/sh', ['-c', guard, 'sh', ...kinds, '/bin/bash', '-ec', inside], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true, // Ctrl-C is for the tests
  })
  onTestFinished(async () => {
    const ended = once(holder, 'exit')
    holder.stdin.end('end\n')
    await ended
  })
  await once(holder.stdout, 'data')
  const unshare = children(holder.pid!)[0]!
  const pid = pids ? children(unshare)[0]! : unshare
  const walk = (path: string): string[] =>
    readdirSync(path, { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .flatMap(entry => [join(path, entry.name), ...walk(join(path, entry.name))])
  return {
    wrapper: ['nsenter', '--target', String(pid), '--mount', '--net', ...(pids ? ['--pid'] : []), '--'],
    links: () => linkNames(pid),
    cgroups: () =>
      parts.flatMap(({ mount, path }) => walk(path).map(below => mount + below.slice(path.length))),
  }
}

let count = 0

/** What is frozen (v1) would not even die, and so the pid namespace could not end. */
const ABORT = `kill -KILL -1; for file in $(find /sys/fs/cgroup -name freezer.state); do echo THAWED >$file; done;`

/** On v2 a cgroup has the controllers that the one above hands down. */
function handDown(mount: string): void {
  const file = join(mount, 'cgroup.subtree_control')
  const wanted = ['memory', 'cpu', 'pids'].filter(name =>
    listFile(join(mount, 'cgroup.controllers')).includes(name),
  )
  const missing = wanted.filter(name => !listFile(file).includes(name))
  if (missing.length === 0) return
  writeControl(file, missing.map(name => `+${name}`).join(' '))
  onTestFinished(() => writeControl(file, missing.map(name => `-${name}`).join(' ')))
}
