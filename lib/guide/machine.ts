import { existsSync, mkdirSync, readFileSync, statfsSync } from 'node:fs'
import { release } from 'node:os'
import { dirname, join } from 'node:path'
import { startOnBench } from '../container/bench.ts'
import { NAMESPACE_TYPES } from '../container/default-spec.ts'
import { hardening } from '../container/hardening.ts'
import { layers, overlayRefused } from '../container/layers.ts'
import type { Ledger } from '../container/ledger.ts'
import { limits } from '../container/limits.ts'
import { natTool } from '../container/nat.ts'
import { root } from '../container/root.ts'
import { defaultProfile } from '../container/seccomp-default.ts'
import { makeDir } from '../image/data-folder.ts'
import { readImage } from '../image/image.ts'
import { BUSYBOX, planBusybox, planHostPrograms } from '../image/programs.ts'
import { writeXattr } from '../image/xattr.ts'
import { defaultCapabilities } from '../kernel/capabilities.ts'
import { cgroupMode, hierarchies, hierarchyOf } from '../kernel/cgroupfs.ts'
import { CLOSE_RANGE_CLOEXEC } from '../kernel/constants.ts'
import { mountOf } from '../kernel/mountinfo.ts'
import { status } from '../kernel/procfs.ts'
import { openRtnetlink, openRtnetlinkIn } from '../kernel/rtnetlink.ts'
import { SyscallError } from '../kernel/syscall-error.ts'
import { attempt, isRefusal, type Refusal, remedyOf } from './trial.ts'
import { explainUserNamespaces, isWholeMap } from './user-namespaces.ts'

/** Whether something can be had on this machine: whole, in part, or not at all. */
export type Verdict = 'ok' | 'limited' | 'blocked'

/** What was found out about one property of the machine. */
export interface Found {
  ok: Verdict
  found: string
  /** a command, or what to do */
  fix?: string | undefined
  /** whether root could have it, which we are not */
  sudo?: boolean
}

/** Who asks, and where. */
export interface Machine {
  rootless: boolean
  dataFolder: string
  /** a folder of our own in it, which goes with the ledger */
  folder: string
  ledger: Ledger
}

interface ProbeOf<Id extends string> {
  id: Id
  title: string
  /** what must be there before this can be tried */
  after?: readonly string[]
  look(machine: Machine): Found | Promise<Found>
}
const probe = <Id extends string>(definition: ProbeOf<Id>) => definition

/**
 * The properties of a machine that decide what it can show. Wherever that is cheap and harmless, the thing is tried by the
 * part that the steps make it by, in a child that ends at once; switches and files are read for the reason only.
 */
export const PROBES = [
  probe({
    id: 'kernel',
    title: 'kernel',
    async look({ ledger, rootless }) {
      const name = `Linux ${release()}`
      const inside = { kinds: [], inside: closeAll }
      const refusal = await attempt(ledger, rootless, inside)
      if (!refusal) return { ok: 'ok', found: name }
      return { ok: 'blocked', found: `${name}: ${refusal.message}`, fix: olderOrFiltered() }
    },
  }),
] as const
