import { MinilabError } from '../../common/errors.ts'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { removeAbandoned } from '../../image/layer-store.ts'
import { removeTree } from '../../image/tree.ts'
import { ourCgroups } from '../../kernel/cgroup/make-cgroup.ts'
import { unlessGone, nulSeparated } from '../../kernel/process/procfs.ts'
import { openRtnetlink } from '../../kernel/netlink/rtnetlink.ts'
import { findProgram, runRuleTool } from '../net/rule-tool.ts'
import type { Entry } from '../ledger/ledger-entry.ts'
import { currentNetns, recover, type Removed } from '../ledger/ledger.ts'
import { type Held, heldByLiving, openFiles } from './held-changes.ts'
import { withNetworkLock } from '../ledger/lock.ts'
import { nameOf } from '../net/packet-rules.ts'
import { containerFolder, damagedIds, states } from './state.ts'
import { deleteLink, undo } from '../ledger/undo.ts'

/** What `minilab clean` has removed, and what is ours but stays, each with its reason. */
export interface Cleaned {
  removed: Removed[]
  kept: { what: string; why: string }[]
  /** whether something stays that should have gone */
  failed: boolean
}

/**
 * Undoes the changes of commands that ended without doing so: first what their ledgers name; then anything else of ours in the kernel
 * and the data folder, recognized by its name, that no running command has recorded.
 */
export async function clean(dataFolder: string): Promise<Cleaned> {
  const done: Cleaned = { removed: [], kept: [], failed: false }
  // recover() throws at the first ledger that cannot be undone; that ledger is ours from then on, and is skipped the next time
  while (
    !(await attempt(
      done,
      'the entries of a ledger',
      async () => void (await recover(dataFolder, done.removed)),
    ))
  );

  // first search, then ask who holds it: every change is recorded before it is made
  const found = [...ourCgroups(), ...tables(), ...folders(dataFolder)].filter(isOwn)
  const damaged = damagedIds()
  const logs = damaged.length ? [] : logFiles(dataFolder) // a log may belong to a damaged container
  const open = openFiles()
  const held = heldByLiving(dataFolder, open)
  for (const entry of found) {
    const holder = held.find(other => holds(other.entry, entry))
    if (holder) done.kept.push({ what: name(entry), why: runs(holder) })
    else await attempt(done, name(entry), async () => undo(entry, () => []))
  }
  for (const id of damaged)
    done.kept.push({
      what: `folder ${containerFolder(id)}`,
      why: `its state is damaged: minilab rm -f ${id}`,
    })
  for (const path of logs) {
    if (open.some(({ target }) => target === path)) continue
    await attempt(done, path, async () => (removeTree(path), `file ${path}`))
  }
  await attempt(done, join(dataFolder, 'tmp'), async () => removeAbandoned().map(path => `folder ${path}`))
  for (const link of links())
    await attempt(done, `link ${link}`, async () => sweepLink(done, dataFolder, link))
  return done
}

/** Names of ours; the middle is the id of a step or a container. */
const CABLE = /^ml-[0-9a-f]{6}[0-9a-z-]*$/
const SWITCH = /^(minilab0|mlb-[0-9a-f]{6})$/
const TABLE = /^(minilab|mlb-[0-9a-f]{6}$)/

/** Our interfaces in this network namespace, veth pairs before the bridges that they are attached to. */
function links(): string[] {
  if (!isRoot()) return [] // then they belong to others: only a process with rights that we lack can have made them
  using rtnetlink = openRtnetlink()
  const all = rtnetlink.links()
  const namesOf = (kind: string, pattern: RegExp) =>
    all.filter(link => link.kind === kind && pattern.test(link.name)).map(link => link.name)
  return [...namesOf('veth', CABLE), ...namesOf('bridge', SWITCH)]
}

/** The name of a bridge is reused: no process may make one between the check and the removal. */
function sweepLink(done: Cleaned, dataFolder: string, name: string): Removed | undefined {
  return withNetworkLock(() => {
    const netns = currentNetns()
    const entry: Entry = { kind: 'link', name, netns }
    const holder = heldByLiving(dataFolder).find(other => holds(other.entry, entry))
    if (!holder) return deleteLink(name)
    done.kept.push({ what: `link ${name}`, why: runs(holder) })
    return undefined
  })
}

/** Our nft(8) tables. iptables rules have no names: only their ledger lists them. */
function tables(): Entry[] {
  const nft = findProgram('nft')
  if (!nft || !isRoot()) return []
  const { ok, said } = runRuleTool([nft, '--json', 'list', 'tables'])
  if (!ok) return [] // no nf_tables in this kernel, so no table either
  const { nftables } = JSON.parse(said) as { nftables: { table?: { family: string; name: string } }[] }
  return nftables.flatMap(({ table }): Entry[] => {
    if (table?.family !== 'ip' || !TABLE.test(table.name)) return []
    return [{ kind: 'rules', tool: 'nft', table: table.name, netns: currentNetns() }]
  })
}

/** Folders of containers that never got a state: containers with a state are left to `minilab rm`. */
function folders(dataFolder: string): Entry[] {
  return list(join(dataFolder, 'containers'))
    .filter(path => !existsSync(join(path, 'state.json')))
    .map(path => ({ kind: 'folder', path, unless: 'state.json' }))
}

/** The output of containers that no longer exist. */
function logFiles(dataFolder: string): string[] {
  const theirs = new Set(states().map(({ log }) => log))
  return list(join(dataFolder, 'logs')).filter(path => !theirs.has(path))
}

function list(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).map(file => join(folder, file)) : []
}

const isRoot = () => process.geteuid?.() === 0

/** Whether a cgroup or folder belongs to us, and not to another user of the machine. */
function isOwn(entry: Entry): boolean {
  return !('path' in entry) || statSync(entry.path, { throwIfNoEntry: false })?.uid === process.geteuid?.()
}

/** Whether a recorded change is the thing that was found, or lies in it, or contains it. */
function holds(noted: Entry, found: Entry): boolean {
  if (noted.kind === 'link' && found.kind === 'link')
    return noted.name === found.name && noted.netns === found.netns
  if (noted.kind === 'rules' && found.kind === 'rules')
    return noted.netns === found.netns && nameOf(noted) === nameOf(found)
  if (noted.kind !== found.kind || !('path' in noted && 'path' in found)) return false
  // the directory above the cgroups of several commands is removed once it is empty, not before
  if ([noted, found].some(entry => entry.kind === 'cgroup' && entry.use === 'parent')) return false
  return `${noted.path}/`.startsWith(`${found.path}/`) || found.path.startsWith(`${noted.path}/`)
}

function name(entry: Entry): string {
  if (entry.kind === 'rules') return `rules: ${nameOf(entry)}`
  return `${entry.kind} ${'path' in entry ? entry.path : ''}`
}

/** `process 4711 (minilab step 4 --keep) uses it` */
function runs({ pid }: Held): string {
  if (pid === undefined) return 'a process in another pid namespace uses it'
  const args = unlessGone(() => nulSeparated(`/proc/${pid}/cmdline`))
  if (!args) return `process ${pid} used it until just now`
  const program = args.findIndex(word => /(bin\.mjs|minilab)$/.test(word))
  const command = program === -1 ? args : ['minilab', ...args.slice(program + 1)]
  return `process ${pid} (${command.join(' ')}) uses it`
}

/** Removes something, and reports it; if that is refused, reports that it stays and why. False only then. */
async function attempt(
  done: Cleaned,
  what: string,
  act: () => Promise<Removed | Removed[] | undefined | void>,
): Promise<boolean> {
  try {
    done.removed.push(...[(await act()) ?? []].flat())
    return true
  } catch (error) {
    // typed errors, and those of Node's file system; anything else is a bug of ours
    if (!(error instanceof MinilabError || (error instanceof Error && 'code' in error))) throw error
    const why = error instanceof MinilabError ? `${error.message}: ${error.remedy}` : error.message
    done.kept.push({ what, why })
    done.failed = true
    return false
  }
}
