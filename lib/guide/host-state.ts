import { codeOf } from '../common/error-code.ts'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { dataFolder } from '../image/data-folder.ts'
import { hierarchies } from '../kernel/cgroup/cgroupfs.ts'
import { mountinfo } from '../kernel/mount/mountinfo.ts'
import {
  ifReadable,
  isGone,
  linkNames,
  namespaceInode,
  NAMESPACES,
  parentOf,
  pids,
  status,
} from '../kernel/process/procfs.ts'

/**
 * What a step could leave on the host, as a set of lines: mounts, cgroups, links, our processes and the namespaces
 * they are in. Other minilab commands that run at the same time are told apart by the id in their names.
 */
export function hostState(id: string): Set<string> {
  return new Set([...mounts(), ...cgroups(id), ...links(id), ...processes()])
}

/** Lines of `later` that were not there, and lines that are gone. */
export function difference(earlier: Set<string>, later: Set<string>): string[] {
  return [
    ...[...later.difference(earlier)].map(line => `+ ${line}`),
    ...[...earlier.difference(later)].map(line => `- ${line}`),
  ]
}

/**
 * Where a step can mount something by mistake: in our data folder, among the kernel's file systems, or close to the root. Deeper down
 * others mount all the time: Docker and Podman for their containers, systemd for sessions.
 */
function mounts(): string[] {
  const ours = `${dataFolder()}/`
  return mountinfo()
    .filter(
      ({ target }) =>
        target.startsWith(ours) || /^\/(proc|sys|dev)\//.test(target) || target.split('/').length <= 3,
    )
    .map(({ type, target }) => `mount ${type} on ${target}`)
}

function cgroups(id: string): string[] {
  const walk = (folder: string): string[] =>
    readFolders(folder).flatMap(name => {
      const path = join(folder, name)
      return [path, ...walk(path)]
    })
  return hierarchies()
    .flatMap(h => walk(h.mount))
    .filter(path => path.includes(id)) // a system's own come and go all the time
    .map(path => `cgroup ${path}`)
}

function readFolders(folder: string): string[] {
  try {
    // fs/kernfs/inode.c, kernfs_refresh_inode(): 2, and one more for each folder in it. Most have none, but fifty files
    if (statSync(folder).nlink === 2) return []
    return readdirSync(folder, { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .map(entry => entry.name)
  } catch (error) {
    const code = codeOf(error) ?? ''
    if (isGone(error) || code === 'EACCES') return [] // gone meanwhile, or not ours to see
    throw error
  }
}

/** The links that Docker, Podman and the CNI plugins make; they, too, come and go. */
const OF_ENGINES = /^(docker0|docker_gwbridge|br-[0-9a-f]{12}|veth[0-9a-f]{6,}|(podman|cni)\d+)$/

function links(id: string): string[] {
  return linkNames('self')
    .filter(name => (!/^mlb?-|^minilab/.test(name) && !OF_ENGINES.test(name)) || name.includes(id))
    .map(name => `link ${name}`)
}

/** Our descendants, and every namespace that they do not share with us. */
function processes(): string[] {
  const parents = new Map(pids().flatMap(pid => ifReadable(() => [[pid, parentOf(pid)] as const]) ?? []))
  const ours = (pid: number | undefined): boolean =>
    pid !== undefined && pid !== 0 && (parents.get(pid) === process.pid || ours(parents.get(pid)))
  return [...parents.keys()].filter(ours).flatMap(pid => ifReadable(() => describe(pid)) ?? [])
}

function describe(pid: number): string[] {
  const own = NAMESPACES.filter(kind => namespaceInode(pid, kind) !== namespaceInode('self', kind))
  return [
    `process ${pid} (${status(pid).Name})`,
    ...own.map(kind => `namespace ${kind}:[${namespaceInode(pid, kind)}]`),
  ]
}
