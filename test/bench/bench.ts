// `npm run bench [-- --json|--page] [-- WORD…]`: how fast it is, beside others, as ratios of medians measured in turn in one run. A word chooses the
// figures that contain it. --page writes them into the book's appendix.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { certain } from '../../lib/common/certain.ts'
import { defaultSpec } from '../../lib/container/default-spec.ts'
import { Ledger } from '../../lib/container/ledger/ledger.ts'
import type { Plan } from '../../lib/container/part.ts'
import { namespaces } from '../../lib/container/parts/namespaces.ts'
import { program } from '../../lib/container/parts/process.ts'
import { root } from '../../lib/container/parts/root.ts'
import type { Spec } from '../../lib/container/spec.ts'
import { nothingMade, recordParts, startParts } from '../../lib/container/start.ts'
import type { State } from '../../lib/container/state/state-shape.ts'
import { findImage } from '../../lib/image/store.ts'
import { status } from '../../lib/kernel/process/procfs.ts'
import { Gate } from '../../lib/kernel/tape/gate.ts'
import { standaloneFile } from '../../lib/kernel/tape/standalone.ts'
import { loadLabs } from '../../lib/cli/exercises.ts'
import type { Exercise } from '../../lib/labs/exercise.ts'
import { Trials } from '../../lib/labs/trials.ts'
import { fileOf, initWorkspace, solutionFileOf } from '../../lib/labs/workspace.ts'
import { command, measure, type Measured, print, type Row, type Run } from './measure.ts'
import { writePage } from './page.ts'
import { compiled, crunMany, Docker, folder, podman, removeFolder, RuncBox, runtime } from './peers.ts'

const ENTRY = join(import.meta.dirname, '../../bin.mjs')
process.argv[1] = ENTRY // what a trial starts as ourselves
process.env.MINILAB_DATA = folder
const rootless = process.getuid?.() !== 0
const [rootfs = ''] = (await findImage('default')).layers
const nowhere = openSync('/dev/null', 'r+')
const json = process.argv.includes('--json')
const page = process.argv.includes('--page')
const words = process.argv.slice(2).filter(word => !word.startsWith('--'))

const minilab = (...args: string[]) => command(process.execPath, [ENTRY, ...args])
const node: Run = () => command(process.execPath, ['-e', '0'])

function spec(args: string[]): Spec {
  const made = defaultSpec(rootfs, args, rootless)
  made.root.readonly = true
  return made
}

/** As root without a user namespace: so a parent has nothing to do at the gate, which the C program lacks. */
function plainSpec(args: string[]): Spec {
  const made = spec(args)
  if (!rootless) made.linux.namespaces = made.linux.namespaces.filter(({ type }) => type !== 'user')
  return made
}

const plan = (args = ['/bin/true']): Plan => ({
  id: 'bench',
  spec: plainSpec(args),
  rootfs,
  ledger: new Ledger(folder),
  diesWithUs: true,
  stdio: [nowhere, nowhere, nowhere],
})
const PARTS = [namespaces, root, program]

/**
 * One start in this process, as far as its execve. Another one goes before, which is not measured: to start the peer, this process has called
 * fork(2), so the next write to each of its pages is a page fault.
 */
async function started(): Promise<number> {
  const before = await startParts(PARTS, plan())
  await before.child.exit
  const began = performance.now()
  const { child } = await startParts(PARTS, plan())
  const ms = performance.now() - began
  await child.exit
  return ms
}

/** A C program that makes the same calls: without the gate, where a parent that is root has nothing to do, and without the second stage. */
function compileSameCalls(): Run {
  if (rootless) throw new Error('only as root: otherwise a parent writes the uid map')
  const gate = new Gate()
  const container = { ...nothingMade(plan()), oneStage: true, diesWithUs: false, stdio: undefined }
  const { tape, flags } = recordParts(PARTS, container, gate)
  gate.abandon()
  const read = tape.ops.findIndex(({ call }) => call === 'read')
  tape.ops.splice(read - 2, 3) // the gate closes the parent's end, and writes and reads a byte
  const file = standaloneFile(tape)
  const path = join(folder, 'tape')
  writeFileSync(path, readFileSync(`/proc/self/fd/${file.fd}`))
  const made = compiled(join(import.meta.dirname, 'same-calls.c'))
  return () => Number(execFileSync(made, [path, String(flags), '1'], { encoding: 'utf8' })) / 1000
}
let byC: Run | undefined
const sameCalls: Run = () => (byC ??= compileSameCalls())()

/** Memory that stays resident for an idle container in the background: KiB. */
const resident = (...pids: number[]) =>
  pids.reduce((sum, pid) => sum + Number.parseInt(status(pid).VmRSS ?? ''), 0)

function idle(flags = ['--network', 'none']): number {
  const id = execFileSync(process.execPath, [ENTRY, 'run', '-d', ...flags, 'default', 'sleep', '1000'], {
    encoding: 'utf8',
  }).trim()
  const {
    keeper,
    pumps,
    forwarders = [],
  } = JSON.parse(readFileSync(join(folder, 'containers', id, 'state.json'), 'utf8')) as State
  const beside = [keeper, ...Object.values(pumps ?? {}), ...forwarders]
  const size = resident(...beside.map(({ pid }) => pid))
  minilab('rm', '-f', id)
  return size
}

/** Its shim, as the parent of its first process. */
function idleInDocker(docker: Docker): number {
  docker.run('run', '-d', '--name', 'idle', '--network', 'none', 'bench', 'sleep', '1000')
  const pid = docker.say('inspect', '-f', '{{.State.Pid}}', 'idle')
  const size = resident(Number(status(Number(pid)).PPid))
  docker.run('rm', '-f', 'idle')
  return size
}

/** docker-proxy, as dockerd starts one for each published port. */
async function idleProxy(port: string): Promise<number> {
  const address = [
    '-host-ip',
    '127.0.0.1',
    '-host-port',
    port,
    '-container-ip',
    '127.0.0.1',
    '-container-port',
    '80',
  ]
  const proxy = spawn('docker-proxy', ['-proto', 'tcp', ...address], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  })
  const over = once(proxy, 'exit')
  await once(proxy.stdio[3] as Readable, 'data') // it listens
  const size = resident(proxy.pid ?? 0)
  proxy.kill()
  await over
  return size
}

/** How many containers are alive together. */
const MANY = 500

/** That many are started by this process, live together, and are ended. */
async function many(): Promise<number> {
  const began = performance.now()
  const children = []
  for (let i = 0; i < MANY; i++) {
    const { child } = await startParts(PARTS, { ...plan(['/bin/sleep', '1000']), id: `bench-${i}` })
    children.push(child)
  }
  if (!children.every(({ alive }) => alive)) throw new Error('one has ended by itself')
  for (const child of children) child.kill('SIGKILL')
  await Promise.all(children.map(({ exit }) => exit))
  return performance.now() - began
}

/** A learner who has solved the first labs. */
const mine = mkdtempSync(join(tmpdir(), 'minilab-bench-mine-'))
const labs = (await loadLabs()).slice(0, 3)
process.env.MINILAB_WORKSPACE = mine
initWorkspace(mine)
for (const lab of labs) copyFileSync(solutionFileOf(lab), fileOf({ folder: mine }, lab))
const watching = new Map<number, Trials>()
/** What `minilab watch N` does between a save and its verdict. */
async function watched(lab: Exercise): Promise<number> {
  const trials = watching.get(lab.number) ?? new Trials(lab, rootless, 'ahead')
  watching.set(lab.number, trials)
  await trials.prepare() // a learner takes longer
  const began = performance.now()
  await trials.try({ number: lab.number, folder: mine, rootless, own: [] })
  return performance.now() - began
}

let runcBox: RuncBox | undefined
/** Containers that wait in the background, one of each, for what `exec` joins. */
function boxes(): Disposable {
  const stack = new DisposableStack()
  minilab('run', '-d', '--name', 'box', '--network', 'none', 'default', 'sleep', '1000')
  stack.defer(() => void minilab('rm', '-f', 'box'))
  runcBox = stack.use(new RuncBox(spec(['/bin/sleep', '1000'])))
  if (!(docker instanceof Error)) {
    const daemon = docker
    daemon.run('run', '-d', '--name', 'box', '--network', 'none', 'bench', 'sleep', '1000')
    stack.defer(() => void daemon.run('rm', '-f', 'box'))
  }
  return stack
}

const docker = await Docker.start(rootfs).catch((error: unknown) => error as Error)
const inDocker =
  (...args: string[]): Run =>
  () => {
    if (docker instanceof Error) throw docker
    return docker.run(...args)
  }
const runs =
  (...flags: string[]): Run =>
  () =>
    minilab('run', '--rm', ...flags, 'default', 'true')

const rows: Row[] = [
  {
    figure: 'a container to its execve, in a running process',
    unit: 'ms',
    rounds: 100,
    ours: started,
    peers: { 'the same calls by a C program': { run: () => sameCalls(), reach: 1.3 } },
    parts:
      'Where no peer starts in between, it is 4.4 to 5 ms. About a third of that is for the tape, which JavaScript records for each start, and for the second stage, an execve that the C program does not make. The rest is the calls themselves and the turns of the event loop around the gate.',
  },
  {
    figure: 'run --rm IMAGE true, with a network',
    unit: 'ms',
    rounds: 10,
    ours: runs(),
    peers: {
      'node -e 0': { run: node, reach: 2.5 },
      'docker run --rm': { run: inDocker('run', '--rm', 'bench', 'true'), reach: 0.35 },
      'podman run --rm': { run: () => podman('run', '--rm', '--rootfs', rootfs, 'true'), reach: 1 },
    },
    parts: 'To make the network, and to take it back, takes about 60 ms more than the next figure.',
  },
  {
    figure: 'run --rm --network none IMAGE true',
    unit: 'ms',
    rounds: 10,
    ours: runs('--network', 'none'),
    peers: {
      'node -e 0': { run: node, reach: 2 },
      'docker run --rm --network none': {
        run: inDocker('run', '--rm', '--network', 'none', 'bench', 'true'),
      },
      'runc run': { run: runtime('runc', spec(['/bin/true'])) },
      'crun run': { run: runtime('crun', spec(['/bin/true'])) },
    },
    parts:
      'Where no peer starts in between, it is 215 ms: 30 ms for the start of Node, 85 ms for the loading of 190 modules, and 100 ms for the container with its cgroups, until all of it is taken back.',
  },
  {
    figure: 'exec CONTAINER true',
    unit: 'ms',
    rounds: 20,
    around: boxes,
    ours: () => minilab('exec', 'box', 'true'),
    peers: {
      'node -e 0': { run: node },
      'runc exec': { run: () => certain(runcBox).exec('true'), reach: 3 },
      'docker exec': { run: inDocker('exec', 'box', 'true'), reach: 0.8 },
    },
    parts:
      'Of its time about 30 ms are the start of Node, and 80 ms the loading of 165 modules. runc and the client of docker are one compiled file each.',
  },
  {
    figure: '--version',
    unit: 'ms',
    rounds: 20,
    ours: () => minilab('--version'),
    peers: { 'node -e 0': { run: node, reach: 1.25 } },
    parts: 'A shell starts Node, which loads nine modules of ours.',
  },
  {
    figure: '--help',
    unit: 'ms',
    rounds: 20,
    ours: () => minilab('--help'),
    peers: { 'node -e 0': { run: node, reach: 1.25 } },
    parts: 'It loads commander, the flags of all commands, and koffi, by which this process ends.',
  },
  {
    figure: 'an idle container in the background: resident memory',
    unit: 'KiB',
    rounds: 1,
    ours: () => idle(),
    peers: {
      'containerd-shim': {
        run: () => {
          if (docker instanceof Error) throw docker
          return idleInDocker(docker)
        },
        reach: 0.05,
      },
    },
  },
  {
    figure: 'an idle container in the background, with a published port: resident memory',
    unit: 'KiB',
    rounds: 1,
    ours: () => idle(['-p', '127.0.0.1:47321:80']),
    peers: {
      'containerd-shim and docker-proxy': {
        run: async () => {
          if (docker instanceof Error) throw docker
          return idleInDocker(docker) + (await idleProxy('47322'))
        },
        reach: 0.05,
      },
    },
  },
  {
    figure: `${MANY} containers started by one process, alive together, and ended`,
    unit: 'ms',
    rounds: 1,
    ours: many,
    peers: {
      'crun, two at a time': { run: () => crunMany(plainSpec(['/bin/sleep', '1000']), MANY), reach: 0.25 },
    },
    parts:
      'On the machine of an earlier measurement a page fault took several times as long. There crun needed 56 ms for each container, and minilab 9.6 ms: a ratio of 0.17. Here it is 9.4 ms and 6.6 ms.',
  },
  {
    figure: 'step all --yes',
    unit: 'ms',
    rounds: 3,
    ours: () => minilab('step', 'all', '--yes', '--json'),
    peers: { 'node -e 0': { run: node } },
  },
  ...labs.flatMap((lab): Row[] => [
    {
      figure: `check ${lab.number}, after a save`,
      unit: 'ms',
      rounds: 5,
      ours: () => minilab('check', String(lab.number)),
      peers: { 'node -e 0': { run: node } },
    },
    {
      figure: `watch ${lab.number}: from the save to the verdict`,
      unit: 'ms',
      rounds: 5,
      ours: () => watched(lab),
      peers: { 'node -e 0': { run: node } },
    },
  ]),
]

const nullOwner = execFileSync('stat', ['-c', '%u:%g', '/dev/null'])
const all: Measured[] = []
try {
  for (const row of rows.filter(({ figure }) => words.every(word => figure.includes(word)))) {
    const measured = await measure(row)
    all.push(measured)
    if (!json) print(measured)
  }
  if (json) console.log(JSON.stringify(all, null, 2))
  if (page) writePage(all)
} finally {
  for (const trials of watching.values()) await trials[Symbol.asyncDispose]()
  rmSync(mine, { recursive: true, force: true })
  if (!(docker instanceof Error)) await docker[Symbol.asyncDispose]()
  removeFolder()
  if (!execFileSync('stat', ['-c', '%u:%g', '/dev/null']).equals(nullOwner))
    console.log('a peer has changed the owner of /dev/null!')
}
