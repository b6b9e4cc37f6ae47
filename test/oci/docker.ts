// A private dockerd of a test, with our runtime beside runc and the image `bb`: of root, and of an ordinary user.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { asUser, USER } from './as-user.ts'
import { type Daemon, makeTar, OURS, removeCgroups, start } from './engines.ts'

/** What a test adds to dockerd's daemon.json. */
interface More {
  runtimes?: Record<string, { path: string; runtimeArgs?: string[] }>
  'userns-remap'?: string
}

/** The parent of the cgroups that this process's dockerd makes: another test may have a dockerd, too. */
export const DOCKERS_CGROUP = `minilab-docker-${process.pid}`

/** Publishes a port, and gets a file through it in the network namespace of dockerd. */
export const PUBLISHED = `docker run --runtime $R -d --name cc -p 127.0.0.1:0:80 -v $V:/v bb httpd -f -p 80 -h /v >/dev/null
  docker port cc | sed 's/:[0-9]*$//'; port=$(docker port cc 80 | sed 's/.*://')
  until nsenter -n -t $DOCKERD busybox wget -q -O - http://127.0.0.1:$port/f 2>/dev/null; do sleep 0.1; done
  docker exec cc ls /sys/class/net; docker rm -f cc >/dev/null`

/** In its own network and mount namespaces. The script of a test finds its configuration as `$CONFIG`, its process as `$DOCKERD`. */
export async function startDocker(folder: string, more: More = {}): Promise<Daemon> {
  const socket = join(folder, 'docker.sock')
  const at = (name: string) => join(folder, 'docker', name)
  mkdirSync(at(''), { recursive: true })
  const config = { ...more, runtimes: { ours: { path: OURS }, ...more.runtimes }, 'default-runtime': 'runc' }
  writeFileSync(at('daemon.json'), JSON.stringify(config))
  const options = [
    '--config-file',
    at('daemon.json'),
    '--data-root',
    at('data'),
    '--exec-root',
    at('exec'),
    '--pidfile',
    at('pid'),
    `--cgroup-parent=/${DOCKERS_CGROUP}`,
  ]
  const isolated = ['unshare', '-n', '-m', 'sh', '-c', 'ip link set lo up; exec "$@"', 'sh']
  const docker = await start(
    [...isolated, 'dockerd', '-H', `unix://${socket}`, ...options],
    socket,
    at('log'),
    { DOCKER_HOST: `unix://${socket}`, CONFIG: at('daemon.json') },
  )
  docker.env.DOCKERD = String(docker.pid)
  execFileSync('docker', ['import', makeTar(folder), 'bb'], { env: docker.env, stdio: 'ignore' })
  return {
    ...docker,
    async [Symbol.asyncDispose]() {
      await docker[Symbol.asyncDispose]()
      removeCgroups(DOCKERS_CGROUP)
    },
  }
}

/** As the user: RootlessKit makes the namespaces, and slirp4netns the network, which leads to the test's own network namespace. */
export async function startRootlessDocker(folder: string): Promise<Daemon> {
  const at = (name: string) => join(folder, name)
  const socket = at('run/docker.sock')
  for (const name of ['home', 'run', 'minilab']) mkdirSync(at(name))
  const runtimes = { ours: { path: at('minilab/minilab-oci') } }
  writeFileSync(at('daemon.json'), JSON.stringify({ runtimes }))
  const tar = makeTar(folder)
  execFileSync('sh', ['-c', 'chmod 755 .; chmod 700 run; chown -R "$0" .', USER], { cwd: folder })
  // a machine's /dev/net/tun is for all users, but not everywhere; RootlessKit wants a shared root
  const before =
    'mount -t tmpfs tun /dev/net; mknod -m 666 /dev/net/tun c 10 200; ip link set lo up; mount --make-rshared /'
  const rootless = '/usr/share/docker.io/contrib/dockerd-rootless.sh'
  const docker = await start(
    ['unshare', '-n', ...asUser(folder, `exec sh ${rootless} --config-file daemon.json`, before)],
    socket,
    at('log'),
    { HOME: at('home'), XDG_RUNTIME_DIR: at('run'), DOCKER_HOST: `unix://${socket}` },
  )
  docker.env.DOCKERD = String(docker.pid)
  execFileSync('docker', ['import', tar, 'bb'], { env: docker.env, stdio: 'ignore' })
  return docker
}
