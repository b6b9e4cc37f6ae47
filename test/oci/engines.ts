// Engines of a test: private daemons, in a folder that the test removes. Their image is busybox, packed here.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { certain } from '../../lib/common/certain.ts'
import { until } from '../../lib/common/until.ts'

export const OURS = join(import.meta.dirname, '../../minilab-oci')

/** Why the engines cannot be started here; empty if they can. */
export function lacking(...programs: string[]): string {
  const missing = programs.filter(name => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0)
  if (missing.length) return ` (needs ${missing.join(', ')})`
  return process.geteuid?.() === 0 ? '' : ' (needs root)'
}

export const makeFolder = () => mkdtempSync(join(tmpdir(), 'minilab-oci-'))

/** A root file system: busybox with all its names, two accounts, and a program that does nothing for a pod. */
export function makeRootfs(at: string): string {
  for (const name of ['bin', 'tmp', 'etc', 'root', 'var', 'run', 'proc', 'sys', 'dev', 'home/u'])
    mkdirSync(join(at, name), { recursive: true })
  chmodSync(join(at, 'tmp'), 0o1777)
  execFileSync('cp', ['/bin/busybox', join(at, 'bin')])
  for (const name of execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n'))
    if (name !== 'busybox' && !name.includes('/')) symlinkSync('busybox', join(at, 'bin', name))
  symlinkSync('/run', join(at, 'var/run'))
  writeFileSync(join(at, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\nu:x:1000:1000::/home/u:/bin/sh\n')
  writeFileSync(join(at, 'etc/group'), 'root:x:0:\nu:x:1000:\nextra:x:2000:u\n')
  writeFileSync(join(at, 'pause'), '#!/bin/sh\nexec sleep 1000\n', { mode: 0o755 })
  return at
}

/** The same as a tar file. */
export function makeTar(folder: string): string {
  const tar = join(folder, 'image.tar')
  execFileSync('tar', ['-C', makeRootfs(join(folder, 'rootfs')), '-cf', tar, '.'])
  return tar
}

/** A daemon that a test has started. */
export interface Daemon extends AsyncDisposable {
  env: NodeJS.ProcessEnv
  pid: number
}

/** Starts a daemon, and waits for its socket. It and the scripts of the test get `env`. */
export async function start(
  args: string[],
  socket: string,
  log: string,
  env: NodeJS.ProcessEnv,
): Promise<Daemon> {
  const all = { ...process.env, ...env }
  const daemon = spawn('sh', ['-c', 'exec "$@" >"$0" 2>&1', log, ...args], { stdio: 'ignore', env: all })
  await once(daemon, 'spawn')
  const isUp = await until(() => existsSync(socket) || daemon.exitCode !== null, 60_000)
  if (!isUp || daemon.exitCode !== null) throw new Error(`${args.join(' ')}:\n${readFileSync(log, 'utf8')}`)
  return {
    env: all,
    pid: certain(daemon.pid),
    async [Symbol.asyncDispose]() {
      if (daemon.exitCode !== null) return
      const over = once(daemon, 'exit')
      daemon.kill('SIGTERM')
      await over
    },
  }
}

/** Ends the containers that a test which failed has left in the state folder of a runtime. */
export function endContainers(runtime: string, states: string): void {
  if (!existsSync(states)) return
  for (const id of readdirSync(states)) spawnSync(runtime, ['--root', states, 'delete', '--force', id])
}

/** Removes the cgroups below a parent, and the parent, in each hierarchy. */
export function removeCgroups(parent: string): void {
  const those = ['(', '-path', `*/${parent}`, '-o', '-path', `*/${parent}/*`, ')']
  spawnSync('find', ['/sys/fs/cgroup', '-depth', '-type', 'd', ...those, '-delete'])
}

/** Podman's configuration with more runtimes, and a store of its own: the variables that name the files. */
export function podmanFiles(folder: string, runtimes: Record<string, string>): Record<string, string> {
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const names = JSON.stringify([...Object.keys(runtimes), 'runc'])
  const paths = Object.entries(runtimes).map(([name, path]) => `${name} = ["${path}"]\n`)
  return {
    CONTAINERS_CONF: write(
      'containers.conf',
      `[containers]\ndefault_ulimits = ["nofile=1024:4096", "nproc=1000:1000"]\n[engine]\ncgroup_manager = "cgroupfs"\n` +
        `events_logger = "file"\nruntime_supports_json = ${names}\ntmp_dir = "${join(folder, 'tmp')}"\n` +
        `[engine.runtimes]\n${paths.join('')}`,
    ),
    CONTAINERS_STORAGE_CONF: write(
      'storage.conf',
      `[storage]\ndriver = "vfs"\ngraphroot = "${join(folder, 'root')}"\nrunroot = "${join(folder, 'run')}"\n`,
    ),
  }
}

/**
 * An image `NAME:latest` of one layer, in the format of `docker save`, which ctr imports. The layer is a tar file, which is moved
 * there.
 */
export function saveImage(folder: string, name: string, tar: string, config: object): string {
  const image = join(folder, name)
  mkdirSync(image)
  execFileSync('mv', [tar, join(image, 'layer.tar')])
  const [digest] = execFileSync('sha256sum', [join(image, 'layer.tar')], { encoding: 'utf8' }).split(' ')
  const json = (file: string, value: object) => writeFileSync(join(image, file), JSON.stringify(value))
  json('config.json', {
    architecture: process.arch === 'x64' ? 'amd64' : 'arm64',
    os: 'linux',
    config,
    rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
  })
  json('manifest.json', [{ Config: 'config.json', RepoTags: [`${name}:latest`], Layers: ['layer.tar'] }])
  execFileSync('tar', ['-C', image, '-cf', join(folder, `${name}.tar`), '.'])
  return join(folder, `${name}.tar`)
}

/** Of containerd; also the name of the cgroup above those of its containers, which it leaves. */
export const NAMESPACE = `minilab-${process.pid}`
export const removeNamespaceCgroups = () => removeCgroups(NAMESPACE)

/** A containerd with images that saveImage() wrote. Its configuration says which plugins it has. */
export async function startContainerd(
  folder: string,
  images: string[],
  plugins = 'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n',
  namespace = NAMESPACE,
): Promise<Daemon> {
  const at = (name: string) => join(folder, 'containerd', name)
  mkdirSync(at(''), { recursive: true })
  writeFileSync(
    at('config.toml'),
    `version = 2\nroot = "${at('root')}"\nstate = "${at('state')}"\n${plugins}[grpc]\n  address = "${at('sock')}"\n`,
  )
  const containerd = await start(
    ['unshare', '-m', 'containerd', '-c', at('config.toml')],
    at('sock'),
    at('log'),
    {
      CONTAINERD_ADDRESS: at('sock'),
      CONTAINERD_NAMESPACE: namespace,
    },
  )
  for (const image of images)
    execFileSync('ctr', ['image', 'import', image], { env: containerd.env, stdio: 'ignore' })
  return containerd
}

/** What a script of commands prints, stdout and stderr and its exit status, without what differs each time. `$R` is the runtime. */
export function said(script: string, runtime: string, env: NodeJS.ProcessEnv): string {
  const { stdout, status } = spawnSync('sh', ['-c', `exec 2>&1; ${script}`], {
    env: { ...env, R: runtime },
    encoding: 'utf8',
    timeout: 120_000,
  })
  return `${stdout}[${status}]\n`
    .replaceAll(/\b[0-9a-f]{64}\b/g, 'ID')
    .replaceAll(/\b[0-9a-f]{12}\b/g, 'ID')
    .replaceAll('runc create failed: ', '') // which of the two says it
    .replaceAll(/pipe:\[\d+\]/g, 'pipe')
    .replaceAll(/time="[^"]*"/g, 'time')
    .replaceAll(/\b[A-Z][a-z]{2} [ \d]\d \d\d:\d\d\b/g, 'date') // of `ls -l`
    .replaceAll('^@', '') // a terminal echoes its end of file
}

export const remove = (folder: string) => rmSync(folder, { recursive: true, force: true, maxRetries: 20 })
