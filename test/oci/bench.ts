// Bundles for runc and for ours: the config of `runc spec`, changed. A test that uses them removes what they leave by `using`.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Spec } from '../../lib/container/spec.ts'
import { endContainers, makeFolder, makeRootfs, OURS, remove, removeCgroups } from './engines.ts'

/** A config.json with any values. */
// eslint-disable-next-line typescript/no-explicit-any -- what it is for
export type Unfit = Record<string, any>
export type Config = Spec & {
  hooks?: Record<string, { path: string; args?: string[]; env?: string[]; timeout?: number }[]>
}

export interface Said {
  status: number | null
  stdout: string
  stderr: string
}

/** A folder with a root file system, bundles, and the state of the runtimes. */
export class Bench {
  readonly folder = makeFolder()
  readonly rootfs = makeRootfs(join(this.folder, 'rootfs'))
  /** the directory of the containers' cgroups */
  readonly parent = `minilab-oci-${this.folder.slice(-6)}`
  #count = 0

  /** A bundle whose program is `args`. */
  bundle(args: string[], change: (config: Config & Unfit) => void = () => {}): string {
    const path = join(this.folder, `bundle-${this.#count++}`)
    mkdirSync(path)
    execFileSync('runc', ['spec', '--bundle', path])
    const file = join(path, 'config.json')
    const config = JSON.parse(readFileSync(file, 'utf8')) as Config
    config.process.terminal = false
    config.process.args = args
    config.root.path = this.rootfs
    config.linux.cgroupsPath = `/${this.parent}/${this.#count}`
    change(config)
    writeFileSync(file, JSON.stringify(config))
    return path
  }

  /** The state of a runtime's containers. */
  root(runtime: string): string {
    return join(this.folder, `state-${runtime.replaceAll('/', '')}`)
  }

  /** Runs a command of a runtime; `stdin` is a descriptor. */
  call(runtime: string, args: string[], stdin: number | 'ignore' = 'ignore'): Said {
    const { status, stdout, stderr } = spawnSync(runtime, ['--root', this.root(runtime), ...args], {
      encoding: 'utf8',
      stdio: [stdin, 'pipe', 'pipe'],
      timeout: 120_000,
    })
    return { status, stdout, stderr }
  }

  oci(...args: string[]): Said {
    return this.call(OURS, args)
  }

  /** Starts a container that stays; its descriptors are no pipes that it would keep open. */
  start(runtime: string, id: string, path: string): number | null {
    return spawnSync(runtime, ['--root', this.root(runtime), 'run', '-d', '--bundle', path, id], {
      stdio: 'ignore',
    }).status
  }

  /** What both say to a bundle, run to its end: runc first. */
  both(args: string[], change?: (config: Config & Unfit) => void): [runc: Said, ours: Said] {
    const path = this.bundle(args, change)
    const run = (runtime: string) => this.call(runtime, ['run', '--bundle', path, 'x'])
    return [run('runc'), run(OURS)]
  }

  [Symbol.dispose](): void {
    for (const runtime of ['runc', OURS]) endContainers(runtime, this.root(runtime))
    removeCgroups(this.parent)
    remove(this.folder)
  }
}
