import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { hierarchies, listFile } from '../../lib/kernel/cgroupfs.ts'
import { writeControl } from '../../lib/kernel/control-file.ts'

/**
 * A place where a test is alone with its cgroups and links, whatever other tests do: a network namespace, and a mount
 * namespace in which /sys/fs/cgroup shows a part of each hierarchy as if it were all of it. For root.
 */
export interface Isolated {
  /** what to write in front of a command that shall run there */
  wrapper: string[]
  /** the names of the links there */
  links(): string[]
  /** the cgroups there, as paths that are valid there */
  cgroups(): string[]
}

export async function isolated(): Promise<Isolated> {
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
  const holder = spawn(
    'unshare',
    ['--mount', '--net', '/bin/sh', '-ec', `${script}\nip link set lo up\necho ready; exec cat`],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  onTestFinished(async () => {
    const ended = once(holder, 'exit')
    holder.stdin.end()
    await ended
  })
  await once(holder.stdout, 'data')
  const walk = (path: string): string[] =>
    readdirSync(path, { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .flatMap(entry => [join(path, entry.name), ...walk(join(path, entry.name))])
  return {
    wrapper: ['nsenter', '--target', String(holder.pid), '--mount', '--net', '--'],
    links: () =>
      [...readFileSync(`/proc/${holder.pid}/net/dev`, 'utf8').matchAll(/^ *(\S+):/gm)].map(
        ([, link]) => link!,
      ),
    cgroups: () =>
      parts.flatMap(({ mount, path }) => walk(path).map(below => mount + below.slice(path.length))),
  }
}

let count = 0

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
