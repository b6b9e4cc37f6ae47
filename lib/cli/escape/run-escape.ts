import { constants } from 'node:os'
import { runInSandbox } from '../../sandbox/start.ts'
import { Ledger, recover } from '../../container/ledger/ledger.ts'
import { makeSandboxCgroup } from '../../sandbox/cgroup.ts'
import type { Cell } from '../../guide/escape/attack.ts'
import { attacks } from '../../guide/escape/attacks.ts'
import { Feed } from '../../guide/feed.ts'
import { certain } from '../../common/certain.ts'
import { attackChapter } from '../../guide/escape/ladder.ts'
import { makeAttackedHost, takeTerminal } from '../../guide/escape/attacked-host.ts'
import { EscapePresenter } from '../../guide/escape/show.ts'
import { dataFolder } from '../../image/data-folder.ts'
import { findImage } from '../../image/store.ts'
import { Subject } from '../../kernel/process/handed.ts'
import { shellStatus } from '../../kernel/process/child.ts'
import { now } from '../../kernel/syscalls/now.ts'
import type { EscapeFlags } from './escape.ts'
import { ourselves } from '../../common/ourselves.ts'
import { EXIT } from '../exit.ts'
import { isRootless } from '../rootless.ts'
import { steps } from '../steps.ts'

/** Tells the first process of the sandbox that it is the host, and how to attack it. */
const ESCAPE = new Subject<{ rootless: boolean }>('escape')

/**
 * Two processes. This one cleans up what outlives the sandbox; the first process of the sandbox plays the host, and
 * attacks. Resolves to the exit status.
 */
export async function escape(numbers: readonly number[], flags: EscapeFlags): Promise<number> {
  const told = ESCAPE.told
  return told ? asHost(told.rootless, numbers, flags) : fromOutside(flags)
}

async function fromOutside(flags: EscapeFlags): Promise<number> {
  const rootless = isRootless(flags.rootless)
  await recover(dataFolder())
  await findImage('default') // the sandbox takes a copy of it
  const ledger = new Ledger(dataFolder())
  try {
    const env = { ...process.env, MINILAB_DATA: dataFolder() }
    const told = ESCAPE.tell({ rootless })
    // cgroups are the only thing that the sandbox shares
    const cgroup = makeSandboxCgroup(ledger)
    const sandbox = { kind: 'host', root: !rootless, cgroup } as const
    return shellStatus(await runInSandbox(sandbox, { args: ourselves(), env, told }))
  } finally {
    await ledger.settle()
  }
}

async function asHost(rootless: boolean, numbers: readonly number[], flags: EscapeFlags): Promise<number> {
  // every process in the sandbox ends with us, its first process
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGPIPE'] as const)
    process.on(signal, () => now.exit_group(128 + constants.signals[signal]))
  const feed = tellViewers(rootless, numbers) // of the data folder that we leave now
  const host = makeAttackedHost(rootless)
  takeTerminal()
  const chapters = await Promise.all(steps.map(({ load }) => load()))
  const presenter = new EscapePresenter({ plain: flags.plain ?? false, quiet: flags.json ?? false }, chapters)
  presenter.begin(rootless, numbers.length === 1 ? numbers[0] : undefined)
  const last = chapters.length
  const cells: Cell[] = []
  for (const number of numbers) {
    const attacked = await attackChapter(number, chapters, host)
    cells.push(...attacked)
    feed.tell({ kind: 'cells', chapter: number, cells: attacked.map(told) })
    if (numbers.length > 1) presenter.chapter(number, attacked)
  }
  if (numbers.length > 1) presenter.matrix(cells, rootless)
  else presenter.column(cells)
  presenter.verdict(cells)
  if (flags.json) process.stdout.write(JSON.stringify({ mode: rootless ? 'rootless' : 'root', cells }) + '\n')
  const failed = cells.some(({ chapter, stopped }) => chapter === last && stopped === false)
  feed.tell({ kind: 'end', ok: !failed })
  feed.close()
  return failed ? EXIT.failed : EXIT.ok
}

/** Begins to tell each `minilab view` of the attacks. */
function tellViewers(rootless: boolean, numbers: readonly number[]): Feed {
  const feed = new Feed(dataFolder())
  const chapters = numbers.map(number => ({ number, name: certain(steps[number - 1]).name }))
  feed.tell({ kind: 'ladder', rootless, chapters, attacks: attacks.map(({ id, title }) => ({ id, title })) })
  return feed
}

const told = ({ attack, stopped, evidence }: Cell) => ({ attack, stopped, evidence })
