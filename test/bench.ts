// `npm run bench`: how long a learner waits for a verdict after a save, and how long a container takes to start, beside
// others, as ratios. Medians; what is missing says so.
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultSpec } from '../lib/container/default-spec.ts'
import { Ledger } from '../lib/container/ledger/ledger.ts'
import { namespaces } from '../lib/container/parts/namespaces.ts'
import { program } from '../lib/container/parts/process.ts'
import { root } from '../lib/container/parts/root.ts'
import type { Spec } from '../lib/container/spec.ts'
import { startParts } from '../lib/container/start.ts'
import { specFor } from '../lib/guide/runtime.ts'
import { findImage } from '../lib/image/store.ts'
import { loadLabs } from '../lib/cli/exercises.ts'
import type { Exercise } from '../lib/labs/exercise.ts'
import { Trials } from '../lib/labs/trials.ts'
import { fileOf, initWorkspace, solutionFileOf } from '../lib/labs/workspace.ts'

const data = mkdtempSync(join(tmpdir(), 'minilab-bench-'))
process.env.MINILAB_DATA = data
const rootless = process.getuid?.() !== 0
const [rootfs = ''] = (await findImage('default')).layers
const nowhere = openSync('/dev/null', 'r+')

function spec(args: string[]): Spec {
  const made = defaultSpec(rootfs, args, rootless)
  made.root.readonly = true
  return made
}

/** One start in this process, as far as its execve, or as far as its exit. */
async function start(until: 'execve' | 'exit'): Promise<number> {
  const container = {
    id: 'bench',
    spec: spec(['/bin/true']),
    rootfs,
    ledger: new Ledger(data),
    diesWithUs: true,
    stdio: [nowhere, nowhere, nowhere] as [number, number, number],
  }
  const began = performance.now()
  const { child } = await startParts([namespaces, root, program], container)
  const started = performance.now() - began
  await child.exit
  return until === 'execve' ? started : performance.now() - began
}

/** A whole command, run to its end. */
function command(name: string, ...args: string[]): number {
  const began = performance.now()
  const { status, stderr, error } = spawnSync(name, args, { encoding: 'utf8' })
  if (error || status !== 0) throw error ?? new Error(stderr.trim().split('\n')[0] ?? `status ${status}`)
  return performance.now() - began
}

function bundle(runtime: string): string {
  const folder = join(data, runtime)
  mkdirSync(folder)
  writeFileSync(join(folder, 'config.json'), JSON.stringify(specFor(runtime, spec(['/bin/true']))))
  return folder
}

let count = 0
const runtime = (name: string, folder: string) => () =>
  command(name, '--root', join(folder, 'state'), 'run', '--bundle', folder, `bench-${process.pid}-${count++}`)
// crun 1.8 refuses v1 controllers with a v2 hierarchy beside them: it gets a view of /sys without that one
const crun = (folder: string) => () =>
  command(
    'unshare',
    '-m',
    'sh',
    '-c',
    `umount /sys/fs/cgroup/unified 2>/dev/null; exec crun --cgroup-manager=disabled --root ${folder}/state run --bundle ${folder} bench-${process.pid}-${count++}`,
  )
const step = ['bin.mjs', 'step', '3', '--yes', '--json'].map((word, i) =>
  i ? word : join(import.meta.dirname, '..', word),
)

/** A learner who has solved the first labs. */
const mine = mkdtempSync(join(tmpdir(), 'minilab-bench-mine-'))
const labs = (await loadLabs()).slice(0, 3)
process.env.MINILAB_WORKSPACE = mine
initWorkspace(mine)
for (const lab of labs) copyFileSync(solutionFileOf(lab), fileOf({ folder: mine }, lab))

/** From a save to the verdict: `minilab check N` as a whole process, and what `minilab watch N` does, which waits for the save. */
const checkRows = labs.flatMap((lab): typeof rows => [
  [
    `minilab check ${lab.number}, after a save`,
    10,
    () => command(process.execPath, step[0]!, 'check', String(lab.number)),
  ],
  [`minilab watch ${lab.number}: from the save to the verdict`, 10, () => watched(lab)],
])
const watching = new Map<number, Trials>()
async function watched(lab: Exercise): Promise<number> {
  const trials = watching.get(lab.number) ?? new Trials(lab, rootless, 'ahead')
  watching.set(lab.number, trials)
  await trials.prepare() // a learner takes longer
  const began = performance.now()
  await trials.try({ number: lab.number, folder: mine, rootless, own: [] })
  return performance.now() - began
}

const rows: [what: string, times: number, run: () => number | Promise<number>][] = [
  ['minilab: a container, to its execve, in a running process', 100, () => start('execve')],
  ['minilab: the same, to its exit', 100, () => start('exit')],
  ['unshare: the namespaces alone, a whole process', 50, () => command('unshare', '-Urmpfuin', 'true')],
  ['crun run: a whole process', 20, crun(bundle('crun'))],
  ['runc run: a whole process', 20, runtime('runc', bundle('runc'))],
  [
    'minilab run: a whole process',
    10,
    () => command(process.execPath, step[0]!, 'run', '--rm', '--network', 'none', 'default', 'true'),
  ],
  [
    'docker run: client, daemon and runc',
    10,
    () => command('docker', 'run', '--rm', '--network', 'none', 'busybox', 'true'),
  ],
  ['minilab step 3 --yes: all its stages', 10, () => command(process.execPath, ...step)],
]

const median = (times: number[]) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? NaN
let ours = 0
process.argv[1] = step[0]! // whom a trial starts as ourselves
const nullOwner = execFileSync('stat', ['-c', '%u:%g', '/dev/null'])
try {
  for (const [what, times, run] of [...rows, ...checkRows]) {
    try {
      await run() // the first one fills caches
      const measured: number[] = []
      for (let i = 0; i < times; i++) measured.push(await run())
      const ms = median(measured)
      ours ||= ms
      console.log(
        `${what.padEnd(60)} ${ms.toFixed(2).padStart(8)} ms  ${(ms / ours).toFixed(1).padStart(6)} ×`,
      )
    } catch (error) {
      console.log(`${what.padEnd(60)} not here: ${(error as Error).message}`)
    }
  }
} finally {
  for (const trials of watching.values()) await trials[Symbol.asyncDispose]()
  for (const folder of [data, mine]) rmSync(folder, { recursive: true, force: true })
  if (!execFileSync('stat', ['-c', '%u:%g', '/dev/null']).equals(nullOwner))
    console.log('a peer has changed the owner of /dev/null!')
}
