import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { removeCgroup } from '../kernel/cgroup.ts'
import { listFile } from '../kernel/cgroupfs.ts'
import { readControl, writeControl } from '../kernel/control-file.ts'
import { namespaceInode } from '../kernel/procfs.ts'
import { openRtnetlink } from '../kernel/rtnetlink.ts'
import { endProcess, findProcess } from '../kernel/signal.ts'
import { SyscallError } from '../kernel/syscall-error.ts'
import type { Entry, Removed } from './ledger.ts'
import { removeTree } from './remove-tree.ts'

type Undo = {
  [K in Entry['kind']]: (
    entry: Extract<Entry, { kind: K }>,
    others: () => Entry[],
  ) => Removed | undefined | Promise<Removed | undefined>
}

/** How each kind of change is taken back. All may be called twice: a thing that is gone already is not an error. */
const undoing: Undo = {
  async cgroup({ path }, others) {
    const shared = others().some(other => other.kind === 'cgroup' && other.path.startsWith(path))
    return (await removeCgroup(path, shared || path.endsWith('/minilab'))) ? `cgroup ${path}` : undefined
  },

  controllers({ path, enabled }) {
    const on = enabled.filter(controller => listFile(path).includes(controller))
    const off: string[] = []
    for (const controller of on) {
      try {
        writeControl(path, `-${controller}`)
        off.push(controller)
      } catch (error) {
        // EBUSY: a child cgroup that is not ours uses it by now
        if (!(error instanceof SyscallError && ['EBUSY', 'ENOENT'].includes(error.code))) throw error
      }
    }
    return off.length ? `controllers ${off.join(' ')} in ${path}` : undefined
  },

  folder({ path }) {
    if (!existsSync(path)) return undefined
    removeTree(path)
    return `folder ${path}`
  },

  async process({ pid, started }) {
    if (findProcess(pid, started) === undefined) return undefined
    await endProcess(pid, started)
    return `process ${pid}`
  },

  link({ name, netns }, others) {
    if (netns !== namespaceInode('self', 'net')) return undefined
    if (others().some(other => other.kind === 'link' && other.name === name && other.netns === netns))
      return undefined
    const rtnetlink = openRtnetlink()
    try {
      if (!rtnetlink.links().some(link => link.name === name)) return undefined
      rtnetlink.delete(name)
      return `link ${name}`
    } finally {
      rtnetlink.close()
    }
  },

  address: () => undefined, // an address goes with its link; the entry only reserves it

  nft({ tool, undo: commands, netns }) {
    if (netns !== namespaceInode('self', 'net')) return undefined
    let removed: Removed | undefined
    for (const [command = tool, ...args] of commands) {
      try {
        execFileSync(command, args, { stdio: 'pipe' })
        removed = `rules ${args.join(' ')}`
      } catch (error) {
        // both tools answer 1 for "no such table/chain/rule"; anything else is a real failure
        if ((error as { status?: number }).status !== 1) throw error
      }
    }
    return removed
  },

  sysctl({ path, before, set, netns }, others) {
    if (netns !== namespaceInode('self', 'net') || !existsSync(path)) return undefined
    if (others().some(other => other.kind === 'sysctl' && other.path === path)) return undefined
    if (readControl(path) !== set) return undefined // somebody else has changed it since
    writeControl(path, before)
    return `${path} back to ${before}`
  },
}

/** Takes one change back; says what was removed, undefined where there was nothing (or others still need it). */
export async function undo(entry: Entry, others: () => Entry[]): Promise<Removed | undefined> {
  const run = undoing[entry.kind] as (entry: Entry, others: () => Entry[]) => ReturnType<typeof undo>
  return run(entry, others)
}
