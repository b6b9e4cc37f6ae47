import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Spec } from '../../lib/container/spec.ts'
import { specFor } from '../../lib/guide/runtime.ts'
import { until } from '../../lib/common/until.ts'
import { command, type Run } from './measure.ts'

/** A folder for what the peers make; removed at the end. */
export const folder = mkdtempSync(join(tmpdir(), 'minilab-bench-'))

let count = 0
const name = () => `bench-${process.pid}-${count++}`

/** `runc run` or `crun run` of a spec, as a whole process. crun 1.8 refuses cgroup v1 with a v2 hierarchy beside it: it makes no cgroup. */
export function runtime(runtime: 'runc' | 'crun', spec: Spec): Run {
  const bundle = join(folder, runtime)
  mkdirSync(bundle)
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(specFor(spec)))
  const args = (id: string) => ['--root', join(bundle, 'state'), 'run', '--bundle', bundle, id]
  if (runtime === 'runc') return () => command('runc', args(name()))
  const alone = `umount /sys/fs/cgroup/unified 2>/dev/null; exec crun --cgroup-manager=disabled "$@"`
  return () => command('unshare', ['-m', 'sh', '-c', alone, 'crun', ...args(name())])
}

/** A container of runc that waits in the background; deleted at the end. */
export class RuncBox implements Disposable {
  readonly #root = join(folder, 'runc-box', 'state')

  constructor(spec: Spec) {
    const bundle = join(this.#root, '..')
    mkdirSync(bundle)
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(specFor(spec)))
    execFileSync('runc', ['--root', this.#root, 'run', '--detach', '--bundle', bundle, 'box'], {
      stdio: 'ignore',
    })
  }

  exec(...args: string[]): number {
    return command('runc', ['--root', this.#root, 'exec', 'box', ...args])
  }

  [Symbol.dispose](): void {
    command('runc', ['--root', this.#root, 'delete', '--force', 'box'])
  }
}

/** So many containers of crun, started, killed and deleted, two at a time. */
export function crunMany(spec: Spec, count: number): number {
  const bundle = join(folder, 'crun-many')
  mkdirSync(bundle, { recursive: true })
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(specFor(spec)))
  const crun = `crun --cgroup-manager=disabled --root ${bundle}/state`
  const script = [
    'umount /sys/fs/cgroup/unified 2>/dev/null',
    `seq ${count} | xargs -P 2 -I{} ${crun} run --detach --bundle ${bundle} many-{} || exit 1`,
    `seq ${count} | xargs -P 2 -I{} ${crun} delete --force many-{}`,
  ]
  return command('unshare', ['-m', 'sh', '-c', script.join('\n')])
}

/** A Docker daemon in its own network and mount namespaces, with one image; ended at the end of the bench. */
export class Docker implements AsyncDisposable {
  readonly #daemon
  readonly #env

  private constructor(daemon: ReturnType<typeof spawn>, socket: string) {
    this.#daemon = daemon
    this.#env = { ...process.env, DOCKER_HOST: `unix://${socket}` }
  }

  /** Throws where there is no Docker, or no right to start it. */
  static async start(rootfs: string): Promise<Docker> {
    const root = join(folder, 'docker')
    const socket = join(root, 'docker.sock')
    mkdirSync(root)
    const options = [
      '--data-root',
      join(root, 'data'),
      '--exec-root',
      join(root, 'exec'),
      '--pidfile',
      join(root, 'pid'),
    ]
    const daemon = spawn('unshare', ['-n', '-m', 'dockerd', '-H', `unix://${socket}`, ...options], {
      stdio: 'ignore',
    })
    await once(daemon, 'spawn')
    const docker = new Docker(daemon, socket)
    if (
      !(await until(() => existsSync(socket) || daemon.exitCode !== null, 60_000)) ||
      daemon.exitCode !== null
    )
      throw new Error('dockerd does not start')
    execFileSync('sh', ['-c', `tar -C "$0" -c . | docker import - bench`, rootfs], {
      env: docker.#env,
      stdio: 'ignore',
    })
    return docker
  }

  run(...args: string[]): number {
    return command('docker', args, this.#env)
  }

  /** What a command prints. */
  say(...args: string[]): string {
    return execFileSync('docker', args, { env: this.#env, encoding: 'utf8' }).trim()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#daemon.exitCode !== null) return
    const over = once(this.#daemon, 'exit')
    this.#daemon.kill('SIGTERM')
    await over
  }
}

/**
 * `podman` with runc and its state in the bench's folder. Limits on open files and processes that a session may have: podman's own are higher.
 * In its own mount namespace: it leaves a mount on the folder of its storage.
 */
export function podman(...args: string[]): number {
  const config = join(folder, 'containers.conf')
  const settings =
    '[containers]\ndefault_ulimits = ["nofile=1024:4096", "nproc=1000:1000"]\n[engine]\ncgroup_manager = "cgroupfs"\nruntime = "runc"\n'
  if (!existsSync(config)) writeFileSync(config, settings)
  const folders = ['--root', join(folder, 'podman'), '--runroot', join(folder, 'podman-run')]
  return command('unshare', ['-m', 'env', `CONTAINERS_CONF=${config}`, 'podman', ...folders, ...args])
}

/** A C program that makes the same calls, compiled by gcc. */
export function compiled(source: string): string {
  const program = join(folder, 'same-calls')
  execFileSync('gcc', ['-O2', '-o', program, source])
  return program
}

export function removeFolder(): void {
  rmSync(folder, { recursive: true, force: true })
}
