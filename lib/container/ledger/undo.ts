import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { removeTree } from '../../image/tree.ts'
import { removeCgroup } from '../../kernel/cgroup/cgroup.ts'
import { listFile } from '../../kernel/cgroup/cgroupfs.ts'
import { readControl, writeControl } from '../../kernel/cgroup/control-file.ts'
import { isGone, namespaceInode } from '../../kernel/process/procfs.ts'
import { openRtnetlink } from '../../kernel/netlink/rtnetlink.ts'
import { endProcess } from '../../kernel/process/signal.ts'
import { SyscallError } from '../../kernel/syscalls/syscall-error.ts'
import type { Removed } from './ledger.ts'
import type { Entry } from './ledger-entry.ts'
import { withNetworkLock } from './lock.ts'
import { nameOf, removeRules } from '../net/packet-rules.ts'
import { damagedIds, states } from '../state/state.ts'

type Undo = {
  [K in Entry['kind']]: (
    entry: Extract<Entry, { kind: K }>,
    others: () => Entry[],
  ) => Removed | undefined | Promise<Removed | undefined>
}

/** How to undo each kind of change. Each function may be called twice: it is no error if the thing is gone already. */
const undoing: Undo = {
  async cgroup({ path, use }) {
    return (await removeCgroup(path, use)) ? `cgroup ${path}` : undefined
  },

  controllers({ path, enabled }) {
    const on = enabled.filter(controller => listFile(path).includes(controller))
    const off: string[] = []
    for (const controller of on) {
      try {
        writeControl(path, `-${controller}`)
        off.push(controller)
      } catch (error) {
        // EBUSY: it has a child cgroup that is not ours
        if (!(error instanceof SyscallError && ['EBUSY', 'ENOENT'].includes(error.code))) throw error
      }
    }
    return off.length ? `controllers ${off.join(' ')} in ${path}` : undefined
  },

  folder({ path, unless }) {
    if (!existsSync(path) || (unless && existsSync(join(path, unless)))) return undefined
    removeTree(path)
    return `folder ${path}`
  },

  file({ path, unless }) {
    if (!existsSync(path) || (unless && isNamed(path))) return undefined
    rmSync(path, { force: true }) // `minilab rm` may be faster
    return `file ${path}`
  },

  async process({ pid, started }) {
    return (await endProcess(pid, started)) ? `process ${pid}` : undefined
  },

  link({ name, netns }) {
    if (netns !== namespaceInode('self', 'net')) return undefined
    return withNetworkLock(() => deleteLink(name))
  },

  rules(rules) {
    if (rules.netns !== namespaceInode('self', 'net')) return undefined
    return removeRules(rules) ? `rules: ${nameOf(rules)}` : undefined
  },

  sysctl({ path, before, set, netns }, others) {
    if (netns !== namespaceInode('self', 'net')) return undefined
    if (others().some(other => other.kind === 'sysctl' && other.path === path)) return undefined
    try {
      if (readControl(path) !== set) return undefined // another process has changed it since
      writeControl(path, before)
      return `${path} set back to ${before}`
    } catch (error) {
      if (isGone(error)) return undefined // the interface is gone as well, perhaps just now
      throw error
    }
  },
}

/** Whether a container has such a log, or may have it: if its state is damaged, we do not know. */
const isNamed = (path: string) => damagedIds().length > 0 || states().some(({ log }) => log === path)

/** A bridge stays while other interfaces are attached to it: the last user removes it. */
export function deleteLink(name: string): Removed | undefined {
  using rtnetlink = openRtnetlink()
  try {
    const links = rtnetlink.links()
    const link = links.find(other => other.name === name)
    if (!link || links.some(({ master }) => master === link.index)) return undefined
    rtnetlink.delete(name)
    return `link ${name}`
  } catch (error) {
    // a veth pair goes with its container's network namespace, when the kernel gets to that: perhaps just now
    if (error instanceof SyscallError && error.code === 'ENODEV') return undefined
    throw error
  }
}

/** Undoes one change. Says what was removed; undefined if there was nothing (or others still need it). */
export async function undo(entry: Entry, others: () => Entry[]): Promise<Removed | undefined> {
  const run = undoing[entry.kind] as (entry: Entry, others: () => Entry[]) => ReturnType<typeof undo>
  return run(entry, others)
}
