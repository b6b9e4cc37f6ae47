import type { Part, PartName, Plan } from '../../container/part.ts'
import { MinilabError } from '../../common/errors.ts'
import { workdir } from '../../container/parts/process.ts'
import { scheduling } from '../../container/parts/scheduling.ts'
import { terminal } from '../../container/parts/terminal.ts'
import { type Spec } from '../../container/spec.ts'
import { notifies } from '../../container/seccomp/seccomp-profile.ts'
import { streams } from '../../container/streams/streams.ts'
import type { OfCreate } from '../create.ts'
import { afterRights, beforeRights, joinNamespaces, restOfLimits, restOfNamespaces } from './rest.ts'
import { restOfRoot } from './rest-of-root.ts'
import { seeing, taught } from './view.ts'

/**
 * The learner's parts in their own order. Before and after each of them comes what config.json asks for and no lab teaches: see rest.ts.
 * Their `layers` has nothing to do, as the engine brings the root file system.
 */
export function arrange(parts: readonly Part[], added: OfCreate, { spec, held }: Plan): Part[] {
  refuse(spec)
  const [lend, attach] = restOfRoot()
  const limited = added.cgroup.length > 0
  const around: Partial<Record<PartName, [before: Part[], after: Part[]]>> = {
    namespaces: [[joinNamespaces], [restOfNamespaces, ...added.keyring]],
    root: [[lend], [attach, terminal, streams]],
    limits: [[], [restOfLimits]],
    hardening: [[workdir, added.lookup, scheduling, beforeRights], [afterRights]],
  }
  const wanted = parts.filter(({ name }) => name !== 'layers' && (name !== 'limits' || limited))
  return [
    ...wanted.flatMap(part => {
      const [before, after] = around[part.name as PartName] ?? [[], []]
      const theirs = seeing(taught, part)
      return [...before, part.name === 'process' && held ? sparing(theirs) : theirs, ...after]
    }),
    ...added.last,
  ]
}

/** What the learner's parts would undo, or do otherwise. */
function refuse({ linux }: Spec): void {
  const refused = (what: string) => {
    throw new MinilabError('usage', `${what}: your parts cannot do that`, 'use the runtime without --mine')
  }
  if (/shared|slave|unbindable/.test(linux.rootfsPropagation ?? ''))
    refused(`linux.rootfsPropagation ${linux.rootfsPropagation}`)
  if (notifies(linux.seccomp)) refused('linux.seccomp with SCMP_ACT_NOTIFY')
  // a part that changes the root would change it for the whole machine
  if (!linux.namespaces.some(({ type }) => type === 'mount'))
    refused('linux.namespaces without a mount namespace')
  if (linux.namespaces.some(({ type, path }) => type === 'mount' && path))
    refused('linux.namespaces: to join a mount namespace')
}

/** The program's part closes all descriptors but 0 to 2: one has to stay until its execve, so that `start` learns of it. */
const sparing = (part: Part): Part => ({
  ...part,
  inside(tape, container, gate) {
    const from = tape.ops.length
    part.inside?.(tape, container, gate)
    container.held?.spare(tape, from)
  },
})
