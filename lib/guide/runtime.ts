import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { closeSync, constants, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { MinilabError } from '../common/errors.ts'
import { parseJson } from '../common/json.ts'
import { object, texts } from '../common/shape.ts'
import { hint } from '../common/suggest.ts'
import { findProgram } from '../container/net/rule-tool.ts'
import { type Container, isPart, type Part, type Plan } from '../container/part.ts'
import { overlayOptions } from '../container/parts/layers.ts'
import type { Spec } from '../container/spec.ts'
import { Cgroup } from '../kernel/cgroup/cgroup.ts'
import { foreignChanges, makeCgroup, planCgroup } from '../kernel/cgroup/make-cgroup.ts'
import { mayAccess } from '../kernel/process/access.ts'
import { startTime } from '../kernel/process/procfs.ts'
import { ended, findProcess, send } from '../kernel/process/signal.ts'
import { MNT_DETACH } from '../kernel/syscalls/constants.ts'
import { now } from '../kernel/syscalls/now.ts'

/** A kind of namespace that older runtimes do not know, and then refuse the whole spec: runc has it from 1.2 on, crun from 1.9. */
const NEWEST = 'time'

const isFeatures = object({ linux: object({ namespaces: texts }) })

/** The kinds of namespaces that a runtime says it knows: runtime-spec features.md. An older one has no such command. */
function knowsNewest(runtime: string): boolean {
  const { status, stdout } = spawnSync(runtime, ['features'], { encoding: 'utf8' })
  return status === 0 && (parseJson(stdout, isFeatures)?.linux.namespaces.includes(NEWEST) ?? false)
}

/** The runtime that a user names by `--runtime`, by its name or a path. Throws a usage error if there is no such program. */
export function findRuntime(name: string): string {
  const isPath = name.includes('/')
  const found = isPath ? resolve(name) : findProgram(name)
  if (found && mayAccess(found, constants.X_OK) && statSync(found).isFile()) return isPath ? found : name
  throw new MinilabError(
    'usage',
    `--runtime: there is no program ${name} here`,
    isPath
      ? 'give the path of an OCI runtime'
      : PACKAGES.includes(name)
        ? `sudo apt-get install ${name}`
        : hint(name, KNOWN, 'install it, or give a path'),
  )
}

/** The controllers that a step's container uses, whichever runtime makes it. */
const CONTROLLERS = ['memory', 'cpu', 'pids']

/** Those that Debian has packages of. */
const PACKAGES = ['runc', 'crun']
const KNOWN = ['minilab', 'minilab-oci', 'runc', 'crun', 'youki']

/**
 * A spec as another runtime accepts it here, or any if none is given: without a kind of namespace that it does not know (its check says
 * so), and without limits where no cgroup can be had.
 */
export function specFor(spec: Spec, runtime?: string): Spec {
  const unknown = runtime !== undefined && knowsNewest(runtime) ? '' : NEWEST
  const { timeOffsets, cgroupsPath, resources, ...linux } = spec.linux
  const planned = cgroupsPath && planCgroup(cgroupsPath, CONTROLLERS)
  const [folder] = planned instanceof Cgroup ? planned.folders : []
  return {
    ...spec,
    linux: {
      ...linux,
      ...(!unknown && timeOffsets && { timeOffsets }),
      namespaces: linux.namespaces.filter(ns => ns.type !== unknown),
      // as the runtime understands it: from the root of the hierarchy, also where we may only use a part of that
      ...(folder && { cgroupsPath: `/${relative(folder.hierarchy.mount, folder.path)}`, resources }),
    },
  }
}

/** A container of another runtime: its first process, and how to remove it. */
export interface Foreign {
  pid: number
  remove(): Promise<void>
}

/**
 * `create`, then `start`, as an engine would do it: the runtime gets a bundle (a folder with config.json). An engine's is also what our own
 * parts `layers` and `network` do: the overlay is mounted before, and lies on the host until the container has it; the cable is made between.
 */
export async function startForeign(
  runtime: string,
  container: Container,
  parts: readonly Part[],
  folder: string,
): Promise<Foreign> {
  const engines = parts.filter(part => isPart(part, 'layers') || isPart(part, 'network'))
  const bundle = join(folder, `bundle-${container.id}`)
  container.ledger.add({ kind: 'folder', path: bundle })
  mkdirSync(bundle, { recursive: true })
  const spec = specFor(container.spec, runtime)
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec, null, 2))
  noteCgroups(container, spec)
  const log = join(bundle, 'log')
  const state = ['--root', join(bundle, 'state'), '--log', log]
  const pidFile = join(bundle, 'pid')
  const create = ['create', '--bundle', bundle, '--pid-file', pidFile, container.id]
  for (const part of engines) await part.prepare?.(container)
  const isMounted = container.layers !== undefined
  if (isMounted) now.mount('overlay', container.rootfs, 'overlay', 0, overlayOptions(container))
  try {
    await run(runtime, [...state, ...create], container, log)
  } finally {
    if (isMounted) now.umount2(container.rootfs, MNT_DETACH)
  }
  const pid = Number(readFileSync(pidFile, 'utf8'))
  // without a cgroup `minilab clean` could not find the process
  if (!spec.linux.cgroupsPath) container.ledger.add({ kind: 'process', pid, started: startTime(pid) })
  const pidfd = findProcess(pid)
  const remove = async () => {
    if (pidfd !== undefined) {
      send(pidfd, 'SIGKILL')
      await ended(pidfd)
      closeSync(pidfd)
    }
    execFileSync(runtime, [...state, 'delete', '--force', container.id])
  }
  try {
    for (const part of engines) await part.attach?.(container, pid)
    await run(runtime, [...state, 'start', container.id], container, log)
  } catch (error) {
    await remove()
    throw error
  }
  return { pid, remove }
}

/** The runtime makes the cgroups itself, and removes most of what it made, unless it or we are killed. */
export function noteCgroups({ ledger, spec: { linux } }: Plan, { linux: { cgroupsPath } }: Spec): void {
  if (!cgroupsPath) return
  for (const change of foreignChanges(cgroupsPath)) ledger.add(change)
  if (process.getuid?.() === 0) return
  // make it for an ordinary user's runtime: only we can move ourselves out of the cgroup that must hand controllers down
  const planned = planCgroup(linux.cgroupsPath ?? '', CONTROLLERS)
  if (planned instanceof Cgroup) makeCgroup(planned, CONTROLLERS, change => ledger.add(change))
}

async function run(runtime: string, args: string[], { stdio = [0, 1, 2] }: Plan, log: string): Promise<void> {
  const child = spawn(runtime, args, { stdio: stdio.map(fd => (fd === 'null' ? 'ignore' : fd)) })
  // wait for `exit`, not `close`: the container's program inherits the three descriptors and keeps them open
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('exit', resolve)
    child.on('error', reject)
  })
  if (status === 0) return
  const reason = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').at(-1) : `status ${status}`
  throw new MinilabError(
    'machine',
    `${runtime} does not ${args.includes('create') ? 'create' : 'start'} the container here: ${reason}`,
    'try another --runtime',
  )
}
