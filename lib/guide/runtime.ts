import { execFileSync, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { MinilabError } from '../common/errors.ts'
import type { Plan } from '../container/part.ts'
import type { Spec } from '../container/spec.ts'
import { Cgroup } from '../kernel/cgroup/cgroup.ts'
import { foreignChanges, makeCgroup, planCgroup } from '../kernel/cgroup/make-cgroup.ts'
import { startTime } from '../kernel/process/procfs.ts'
import { ended, findProcess, send } from '../kernel/process/signal.ts'

/** Types of namespaces that a runtime does not know; it would refuse the whole spec. */
const UNKNOWN_NAMESPACES: Record<string, string[]> = { runc: ['time'], crun: ['time'] }

/** The controllers that a step's container uses, whichever runtime makes it. */
const CONTROLLERS = ['memory', 'cpu', 'pids']

/**
 * A spec that another runtime accepts here: without the types of namespaces that it does not know (runc has the time namespace
 * since 1.2, crun since 1.9; their check says so), and without limits if no cgroup can be made.
 */
export function specFor(runtime: string, spec: Spec): Spec {
  const unknown = UNKNOWN_NAMESPACES[runtime] ?? []
  const { timeOffsets: _, cgroupsPath, resources, ...linux } = spec.linux
  const planned = cgroupsPath && planCgroup(cgroupsPath, CONTROLLERS)
  const [folder] = planned instanceof Cgroup ? planned.folders : []
  return {
    ...spec,
    linux: {
      ...linux,
      namespaces: linux.namespaces.filter(ns => !unknown.includes(ns.type)),
      // runtimes take it relative to the root of the hierarchy, even if we may only use a part of that
      ...(folder && { cgroupsPath: `/${relative(folder.hierarchy.mount, folder.path)}`, resources }),
    },
  }
}

/** A container of another runtime: its first process, and how to remove it. */
export interface Foreign {
  pid: number
  remove(): Promise<void>
}

/** Runs `create` and `start`, as an engine would. The runtime gets a bundle: a folder with config.json. */
export async function startForeign(runtime: string, container: Plan, folder: string): Promise<Foreign> {
  const bundle = join(folder, `bundle-${container.id}`)
  container.ledger.add({ kind: 'folder', path: bundle })
  mkdirSync(bundle, { recursive: true })
  const spec = specFor(runtime, container.spec)
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec, null, 2))
  noteCgroups(container, spec)
  const log = join(bundle, 'log')
  const state = ['--root', join(bundle, 'state'), '--log', log]
  const pidFile = join(bundle, 'pid')
  await run(
    runtime,
    [...state, 'create', '--bundle', bundle, '--pid-file', pidFile, container.id],
    container,
    log,
  )
  const pid = Number(readFileSync(pidFile, 'utf8'))
  // without a cgroup `minilab clean` could not find the process
  if (!spec.linux.cgroupsPath) container.ledger.add({ kind: 'process', pid, started: startTime(pid) })
  const pidfd = findProcess(pid)
  execFileSync(runtime, [...state, 'start', container.id])
  return {
    pid,
    async remove() {
      if (pidfd !== undefined) {
        send(pidfd, 'SIGKILL')
        await ended(pidfd)
        closeSync(pidfd)
      }
      execFileSync(runtime, [...state, 'delete', '--force', container.id])
    },
  }
}

/** Enters the cgroups in the ledger. The runtime makes them, and removes most of them, unless it or we are killed. */
function noteCgroups({ ledger, spec: { linux } }: Plan, { linux: { cgroupsPath } }: Spec): void {
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
    child.on('error', () =>
      reject(new MinilabError('machine', `there is no ${runtime} here`, `sudo apt-get install ${runtime}`)),
    )
  })
  if (status === 0) return
  const reason = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').at(-1) : `status ${status}`
  throw new MinilabError(
    'machine',
    `${runtime} does not create the container here: ${reason}`,
    'try another --runtime',
  )
}
