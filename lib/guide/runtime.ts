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

/** Kinds of namespaces that a runtime's version does not know: it would refuse the whole spec. */
const UNKNOWN_NAMESPACES: Record<string, string[]> = { runc: ['time'], crun: ['time'] }

/** What a step's container is counted by, by whatever runtime it is made. */
const CONTROLLERS = ['memory', 'cpu', 'pids']

/**
 * A spec as another runtime accepts it here: without the kinds of namespaces that it does not know yet (runc has the time
 * namespace from 1.2 on, crun from 1.9; their check says so), and without limits where no cgroup can be had.
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
      // as the runtime understands it: from the root of the hierarchy, also where we may only use a part of that
      ...(folder && { cgroupsPath: `/${relative(folder.hierarchy.mount, folder.path)}`, resources }),
    },
  }
}

/** A container of another runtime: its first process, and how to be rid of it. */
export interface Foreign {
  pid: number
  remove(): Promise<void>
}

/** `create`, then `start`, as an engine would do it: the runtime gets a bundle (a folder with config.json). */
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
  // without its own cgroup, by which `minilab clean` would find it
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

/** The runtime makes the cgroups itself, and removes most of what it made, unless it or we are killed. */
function noteCgroups({ ledger, spec: { linux } }: Plan, { linux: { cgroupsPath } }: Spec): void {
  if (!cgroupsPath) return
  for (const change of foreignChanges(cgroupsPath)) ledger.add(change)
  if (process.getuid?.() === 0) return
  // an ordinary user's runtime finds it made: only we can leave the cgroup that is to hand controllers down
  const planned = planCgroup(linux.cgroupsPath ?? '', CONTROLLERS)
  if (planned instanceof Cgroup) makeCgroup(planned, CONTROLLERS, change => ledger.add(change))
}

async function run(runtime: string, args: string[], { stdio = [0, 1, 2] }: Plan, log: string): Promise<void> {
  const child = spawn(runtime, args, { stdio: stdio.map(fd => (fd === 'null' ? 'ignore' : fd)) })
  // `exit`, not `close`: the container's own program inherits the three and keeps them open
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
