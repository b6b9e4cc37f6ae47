// systemd as process 1 of its own namespaces, with cgroups below one that we make, and a copy of the root that nothing leaves.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../../lib/common/until.ts'
import { type Hierarchy, hierarchies } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { unlessGone } from '../../lib/kernel/process/procfs.ts'
import type { Said } from './bench.ts'
import { makeFolder, remove, removeCgroups } from './engines.ts'

/** How the machine sees cgroups: v2 alone, or v1 with v2 beside it. */
export type Layout = 'v2' | 'v1'

const REPOSITORY = join(import.meta.dirname, '../..')
const CPUSET = ['cpuset.cpus', 'cpuset.mems']

/** What the hierarchies that are mounted here allow. systemd needs its own on v1, and v2 without controllers is enough for it. */
export function layouts(): Layout[] {
  const found = hierarchies()
  const has = (name: string) =>
    found.some(({ version, controllers }) => version === 1 && controllers.includes(name))
  return [
    ...(found.some(({ version }) => version === 2) ? ['v2' as const] : []),
    ...(has('name=systemd') && has('memory') && has('devices') ? ['v1' as const] : []),
  ]
}

/** Inside the new namespaces, before systemd: its root is an overlay over ours, and its /run, /tmp, /dev and cgroups are its own. */
const BOOT = `
set -e
echo $$ | tee $JOIN >/dev/null
exec unshare --pid --fork --kill-child --mount --cgroup --net --uts --ipc --propagation private sh -ec '
mount -t tmpfs tmpfs $BASE
mkdir $BASE/up $BASE/work $BASE/root
mount -t overlay -o lowerdir=/,upperdir=$BASE/up,workdir=$BASE/work overlay $BASE/root
cd $BASE/root
mount -t proc proc proc
mount -t sysfs sysfs sys
for d in run tmp dev; do mount -t tmpfs tmpfs $d; done
for d in null zero full random urandom tty; do cp -a /dev/$d dev; done
ln -s /proc/self/fd dev/fd; ln -s pts/ptmx dev/ptmx; touch dev/console; mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
for d in $SHARED; do mkdir -p ./$d; mount --bind $d ./$d; done
if [ $LAYOUT = v2 ]; then
  mount -t cgroup2 cgroup2 sys/fs/cgroup
else
  mount -t tmpfs tmpfs sys/fs/cgroup
  for c in $V1; do
    n=\${c#name=}; mkdir sys/fs/cgroup/$n; o=$c; [ $n = $c ] || o=none,$c
    mount -t cgroup -o $o cgroup sys/fs/cgroup/$n
  done
  mkdir sys/fs/cgroup/unified; mount -t cgroup2 cgroup2 sys/fs/cgroup/unified
fi
mkdir -p run/systemd/system
printf "[Unit]\\nAllowIsolate=yes\\nWants=dbus.service\\n" >run/systemd/system/minilab.target
mkdir -p old; pivot_root . old; umount -l old
exec env -i container=minilab PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=minilab.target </dev/null >/dev/null 2>&1
'`

export class Machine implements AsyncDisposable {
  readonly #child
  readonly #name: string
  readonly #folders: string[]
  readonly #base = makeFolder()

  private constructor(layout: Layout, shared: string[]) {
    const found = hierarchies()
    this.#name = `minilab-systemd-${process.pid}-${layout}`
    this.#folders = found.map(({ mount }) => join(mount, this.#name))
    found.forEach((hierarchy, i) => makeDirectory(hierarchy, this.#folders[i] ?? ''))
    const v1 = found.filter(({ version }) => version === 1).map(({ controllers }) => controllers.join(','))
    this.#child = spawn('sh', ['-c', BOOT], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        ...process.env,
        JOIN: this.#folders.map(folder => `${folder}/cgroup.procs`).join(' '),
        BASE: this.#base,
        LAYOUT: layout,
        V1: v1.join(' '),
        SHARED: [REPOSITORY, ...shared].join(' '),
      },
    })
  }

  /** Starts it; `shared` folders are the same in it as here. */
  static async start(layout: Layout, shared: string[]): Promise<Machine> {
    const machine = new Machine(layout, shared)
    const isUp = () =>
      /^(running|degraded)/.test(
        machine.run('systemctl is-system-running; busctl --system list >&2 || echo no bus').stdout,
      )
    if (await until(isUp, 60_000)) return machine
    const { stdout, stderr } = machine.run('systemctl --no-pager --failed')
    await machine[Symbol.asyncDispose]()
    throw new Error(`systemd does not start: ${stdout}${stderr}`)
  }

  /** Runs a script in it. */
  run(script: string, env: Record<string, string> = {}): Said {
    const [pid = '0'] = (
      unlessGone(() => readFileSync(`/proc/${this.#child.pid}/task/${this.#child.pid}/children`, 'utf8')) ??
      ''
    ).split(' ')
    const vars = Object.entries(env).map(([name, value]) => `${name}=${value}`)
    const args = [
      '-t',
      pid,
      '-m',
      '-p',
      '-n',
      '-u',
      '-i',
      '-C',
      '-r',
      '-w',
      'env',
      ...vars,
      'sh',
      '-c',
      script,
    ]
    const { status, stdout, stderr } = spawnSync('nsenter', args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 120_000,
    })
    return { status, stdout, stderr }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise(resolve => this.#child.on('exit', resolve))
    if (this.#child.exitCode === null) {
      this.#child.kill('SIGKILL') // --kill-child: systemd dies with it, and all of its pid namespace
      await ended
    }
    const isGone = () => {
      removeCgroups(this.#name)
      return !this.#folders.some(existsSync)
    }
    const gone = await until(isGone, 20_000)
    if (!gone) throw new Error(`still in use: ${this.#folders.join(' ')}`)
    remove(this.#base)
  }
}

/** cgroup-v1/cpusets.rst: no process may join a cpuset without CPUs. */
function makeDirectory({ version, controllers, mount }: Hierarchy, folder: string): void {
  mkdirSync(folder)
  if (version === 2 || !controllers.includes('cpuset')) return
  for (const file of CPUSET) writeFileSync(join(folder, file), readFileSync(join(mount, file)))
}
