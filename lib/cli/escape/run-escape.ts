import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { text } from 'node:stream/consumers'
import { runInSandbox } from '../../sandbox/start.ts'
import { Ledger, recover } from '../../container/ledger/ledger.ts'
import { protectOwnProgram } from '../../container/own-program.ts'
import { makeSandboxCgroup } from '../../sandbox/cgroup.ts'
import type { Cell } from '../../guide/escape/attack.ts'
import { attackChapter } from '../../guide/escape/ladder.ts'
import { makeAttackedHost, type AttackedHost, takeTerminal } from '../../guide/escape/attacked-host.ts'
import { EscapePresenter } from '../../guide/escape/show.ts'
import type { Step } from '../../guide/step.ts'
import { dataFolder } from '../../image/data-folder.ts'
import { findImage } from '../../image/store.ts'
import { Handover, Subject } from '../../kernel/process/handed.ts'
import { shellStatus } from '../../kernel/process/child.ts'
import { now } from '../../kernel/syscalls/now.ts'
import type { EscapeFlags } from './escape.ts'
import { ourselves } from '../../common/ourselves.ts'
import { EXIT } from '../exit.ts'
import { isRootless } from '../rootless.ts'
import { steps } from '../steps.ts'

/** What we are: in the sandbox its `host`, and there once more `protected` as `run` is. */
type Role = { role: 'host'; rootless: boolean } | { role: 'protected'; host: AttackedHost; number: number }

const ESCAPE = new Subject<Role>('escape')

/**
 * Three processes of ours. This one looks after what outlives the sandbox; the first process of the sandbox is the
 * host, and attacks; a third, protected as `minilab run` is, starts the last chapter's containers.
 */
export async function escape(numbers: readonly number[], flags: EscapeFlags): Promise<void> {
  const role = ESCAPE.told
  if (role?.role === 'host') await asHost(role, numbers, flags)
  else if (role) await asProtected(role)
  else await fromOutside(flags)
}

async function fromOutside(flags: EscapeFlags): Promise<void> {
  const rootless = isRootless(flags.rootless)
  await recover(dataFolder())
  await findImage('default') // the sandbox takes a copy of it
  const ledger = new Ledger(dataFolder())
  try {
    const env = { ...process.env, MINILAB_DATA: dataFolder() }
    const told = ESCAPE.tell({ role: 'host', rootless })
    // cgroups are the one thing that the sandbox shares
    const cgroup = makeSandboxCgroup(ledger)
    const sandbox = { kind: 'host', root: !rootless, cgroup } as const
    process.exitCode = shellStatus(await runInSandbox(sandbox, { args: ourselves(), env, told }))
  } finally {
    await ledger.settle()
  }
}

async function asHost(
  { rootless }: Extract<Role, { role: 'host' }>,
  numbers: readonly number[],
  flags: EscapeFlags,
): Promise<void> {
  // everything in the sandbox ends with us, its first process
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGPIPE'] as const)
    process.on(signal, () => now.exit_group(128 + constants.signals[signal]))
  const host = makeAttackedHost(rootless)
  takeTerminal()
  const chapters = await Promise.all(steps.map(({ load }) => load()))
  const presenter = new EscapePresenter({ plain: flags.plain ?? false, quiet: flags.json ?? false }, chapters)
  presenter.begin(rootless, numbers.length === 1 ? numbers[0] : undefined)
  const last = chapters.length
  const cells: Cell[] = []
  for (const number of numbers) {
    const attacked =
      number === last ? await inProtected(host, number) : await attackChapter(number, chapters, host)
    cells.push(...attacked)
    if (numbers.length > 1) presenter.chapter(number, attacked)
  }
  if (numbers.length > 1) presenter.matrix(cells, rootless)
  else presenter.column(cells)
  presenter.verdict(cells)
  if (flags.json) process.stdout.write(JSON.stringify({ mode: rootless ? 'rootless' : 'root', cells }) + '\n')
  if (cells.some(({ chapter, stopped }) => chapter === last && stopped === false))
    process.exitCode = EXIT.failed
}

async function inProtected(host: AttackedHost, number: number): Promise<Cell[]> {
  const [program, ...args] = ourselves()
  using handed = new Handover(ESCAPE.tell({ role: 'protected', host, number }))
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'inherit', handed.fd],
    env: { ...process.env, ...handed.env(3) },
  })
  const exited = once(child, 'exit') as Promise<[number | null]>
  const said = await text(child.stdout!)
  const [status] = await exited
  if (status !== 0) throw new Error(`attacking chapter ${number} ended with status ${status}`)
  return JSON.parse(said) as Cell[]
}

async function asProtected(role: Extract<Role, { role: 'protected' }>): Promise<void> {
  await protectOwnProgram(ESCAPE.tell(role)) // it is us once more, from another file
  const chapters: Step[] = await Promise.all(steps.map(({ load }) => load()))
  process.stdout.write(JSON.stringify(await attackChapter(role.number, chapters, role.host)))
}
