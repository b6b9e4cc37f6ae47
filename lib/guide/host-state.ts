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
 * What a step could leave on the host, as a set of lines: mounts, cgroups, links, our processes and their namespaces. Leaves
 * out what other running minilab commands made: `id` is in our names, but not in theirs.
 */
export function hostState(id: string): Set<string> {
  return new Set([...mounts(), ...cgroups(id), ...links(id), ...processes()])
}

/** The lines that only `later` has, and those that only `earlier` has. */
export function difference(earlier: Set<string>, later: Set<string>): string[] {
  return [
    ...[...later.difference(earlier)].map(line => `+ ${line}`),
    ...[...earlier.difference(later)].map(line => `- ${line}`),
  ]
}

/**
 * The mounts in the places where a step could mount by mistake: in our data folder, among the kernel's file systems, or close
 * to the root. Other software mounts deeper down all the time: Docker and Podman for their containers, systemd for sessions.
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
    .filter(path => path.includes(id)) // others appear and disappear all the time
    .map(path => `cgroup ${path}`)
}

function readFolders(folder: string): string[] {
  try {
    // kernfs_refresh_inode(), fs/kernfs/inode.c: the count is 2 plus the number of subfolders. Most cgroups have none, but
    // fifty files
    if (statSync(folder).nlink === 2) return []
    return readdirSync(folder, { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .map(entry => entry.name)
  } catch (error) {
    const code = codeOf(error) ?? ''
    if (isGone(error) || code === 'EACCES') return [] // it has disappeared, or we may not read it
    throw error
  }
}

/** The links of Docker, Podman and the CNI plugins, which appear and disappear too. */
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
