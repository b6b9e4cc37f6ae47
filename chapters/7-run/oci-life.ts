import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ownFolder } from '../../lib/common/own-folder.ts'
import { runProgram } from '../../lib/common/run-program.ts'
import type { Experiment } from '../../lib/guide/experiment.ts'
import type { Answer } from '../../lib/guide/own-command.ts'
import { noteCgroups, specFor } from '../../lib/guide/runtime.ts'
import { PipedShell } from '../../lib/guide/shell.ts'
import { hierarchies, readCgroup } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { descriptors, processExists, startTime } from '../../lib/kernel/process/procfs.ts'
import type { Replayed } from '../../lib/kernel/tape/tape.ts'
import { WHERE } from './commands.ts'
import { MEMORY } from './spec.ts'

const RUNTIME = join(ownFolder, 'minilab-oci')

/** The life of a container, as its commands answered and as the kernel showed it at each moment. */
export interface Life {
  memory: number
  /** where `create` put what the other commands read */
  folder: string
  /** what the process executed while it waited, and the FIFO that it had open */
  waiting: string
  fifo: string
  state: { status?: string; pid?: number }
  again: Answer
  exec: Answer
  frozen: string
  thawed: string
  where: string
  /** the directories of its cgroup */
  cgroups: string[]
  afterwards: Answer
}

const silent: Answer = { status: null, output: '' }

export const notBegun = (): Life => ({
  memory: MEMORY,
  folder: '',
  waiting: '',
  fifo: '',
  state: {},
  again: silent,
  exec: silent,
  frozen: '',
  thawed: '',
  where: 'freezer',
  cgroups: [],
  afterwards: silent,
})

type Lives = Experiment<Life>

const bundleOf = ({ ledger, id }: Lives) => join(ledger.dataFolder, 'containers', `${id}-bundle`)
const ID = 'box'

/** Writes the bundle, and runs `create`: what becomes the program's stdin and stdout is that of this command. */
export async function create(experiment: Lives): Promise<void> {
  const { scene, ledger } = experiment
  const bundle = experiment.folder('bundle')
  const plan = await experiment.plan({ id: experiment.id })
  plan.spec.root.readonly = true
  const spec = specFor(plan.spec, RUNTIME)
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec, null, 2))
  noteCgroups(plan, spec)
  mkdirSync(join(bundle, 'state'))
  experiment.note(
    'The bundle is a folder with a config.json. Each command below gets `--root`, `--log` and `--debug` besides, before its name.',
  )
  const shell = new PipedShell()
  const words = ['create', '--bundle', bundle, '--pid-file', join(bundle, 'pid'), ID]
  experiment.line(`      $ minilab-oci create --bundle … --pid-file … ${ID}`)
  const child = spawn(RUNTIME, [...flags(experiment, 'create'), ...words], { stdio: [...shell.stdio] })
  const [status] = (await once(child, 'exit')) as [number | null]
  shell.closeTheirs()
  if (status !== 0) {
    shell.end()
    experiment.limit(
      lastOf(experiment, 'create') ?? `status ${status}`,
      'minilab doctor shows what this machine can do',
    )
  }
  const pid = Number(readFileSync(join(bundle, 'pid'), 'utf8'))
  ledger.add({ kind: 'process', pid, started: startTime(pid) })
  Object.assign(scene, { pid, shell })
  const folder = join(bundle, 'state', ID)
  scene.folder = folder
  scene.waiting = readlinkSync(`/proc/${pid}/exe`)
  scene.fifo = Object.values(descriptors(pid)).find(path => path === join(folder, 'start')) ?? ''
  scene.cgroups = hierarchies(pid)
    .map(({ own }) => own)
    .filter(own => own.includes(experiment.id))
  tape(experiment, 'create', 'the first stage made these calls, and then executed the second')
  scene.state = JSON.parse((await oci(experiment, 'state')).output) as Life['state']
}

/** Throws where `create` was refused: its stage has said why. */
function needContainer(experiment: Lives): void {
  if (!experiment.scene.folder) experiment.limit('there is no container', 'see the first stage')
}

export async function start(experiment: Lives): Promise<void> {
  needContainer(experiment)
  await oci(experiment, 'start')
  tape(experiment, 'start', 'the second stage made the rest')
  experiment.scene.again = await oci(experiment, 'start')
}

export async function execAndPause(experiment: Lives): Promise<void> {
  needContainer(experiment)
  const { scene } = experiment
  scene.exec = await oci(experiment, 'exec', 'sh', '-c', WHERE)
  tape(experiment, 'exec', 'a new child made these calls')
  if (scene.cgroups.length === 0)
    experiment.limit('without its own cgroup nothing can be frozen', 'sudo minilab step 7 --oci')
  const frozen = () => readCgroup(scene.pid, 'frozen')
  await oci(experiment, 'pause')
  const { value, source } = frozen() ?? { value: '', source: 'freezer' }
  Object.assign(scene, { frozen: value, where: source })
  await oci(experiment, 'resume')
  scene.thawed = frozen()?.value ?? ''
}

export async function remove(experiment: Lives): Promise<void> {
  needContainer(experiment)
  const { scene } = experiment
  await oci(experiment, 'delete', '--force')
  ;(scene.shell as PipedShell).end()
  scene.afterwards = await oci(experiment, 'state')
}

/** What is left of it: its process, directories of cgroups, its folder. */
export const leftOf = ({ pid, cgroups, folder }: Life & { pid: number }) =>
  [processExists(pid) && `/proc/${pid}`, ...[...cgroups, folder].filter(path => existsSync(path))].filter(
    Boolean,
  )

/** Runs one of its commands, and shows it with what it printed. A flag stands before the id. */
async function oci(experiment: Lives, name: string, ...more: string[]): Promise<Answer> {
  const words = more[0]?.startsWith('-') ? [name, ...more, ID] : [name, ID, ...more]
  experiment.line(`      $ minilab-oci ${words.map(word => (/\s/.test(word) ? "'…'" : word)).join(' ')}`)
  const { status, stdout, stderr } = await runProgram([RUNTIME, ...flags(experiment, name), ...words])
  for (const line of `${stdout}${stderr}`.split('\n').filter(Boolean)) experiment.line(`        ${line}`)
  if (status !== 0) experiment.line(`        (exit status ${status})`)
  return { status, output: `${stdout}${stderr}`.trim() }
}

const logOf = (experiment: Lives, name: string) => join(bundleOf(experiment), `${name}.log`)

/** What an engine gives before the command: where states are, and the log. */
function flags(experiment: Lives, name: string): string[] {
  const log = ['--log', logOf(experiment, name), '--log-format', 'json', '--debug']
  return ['--root', join(bundleOf(experiment), 'state'), ...log]
}

function logged(experiment: Lives, name: string): { level: string; msg: string }[] {
  const path = logOf(experiment, name)
  const lines = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []
  return lines.filter(Boolean).map(line => JSON.parse(line) as { level: string; msg: string })
}

const lastOf = (experiment: Lives, name: string) =>
  logged(experiment, name).findLast(({ level }) => level === 'error')?.msg

const CALL = /^(\w+)\((.*)\) = (-?\d+|\?)(?: (E\w+))? <([\d.]+)>$/s

/** Shows the calls that a command has logged. */
function tape(experiment: Lives, name: string, purpose: string): void {
  const calls = logged(experiment, name).flatMap(({ msg }): Replayed[] => {
    const [, call, args = '', result, errno = null, seconds] = CALL.exec(msg) ?? []
    if (call === undefined) return []
    const ns = Math.round(Number(seconds) * 1e9)
    return [{ call, args, result: result === '?' ? null : Number(result), errno, ns, part: 'minilab-oci' }]
  })
  experiment.tell({ kind: 'launch', purpose, tape: calls })
}
