import type { Made } from '../../chapters/2-namespaces/step.ts'
import type { NamespaceType } from '../../lib/container/spec.ts'
import { finding, notHere, seen } from '../../lib/guide/evidence.ts'
import type { Experiment } from '../../lib/guide/experiment.ts'
import { refusalOf } from '../../lib/guide/refusal.ts'
import type { Check, Stage } from '../../lib/guide/step.ts'
import { namespaceInode, NAMESPACES } from '../../lib/kernel/process/procfs.ts'

/** The kind of namespace that a call of the part is for: it must not be made if that kind is not asked for. */
const ABOUT: Record<string, string> = { sethostname: 'uts', mount: 'mount', unshare: 'cgroup' }

interface Other {
  pid: number
  /** the types in which it differs from ours */
  own: readonly string[]
  refused?: string
}

async function start(
  experiment: Experiment<Made>,
  purpose: string,
  isAsked: (type: NamespaceType) => boolean,
): Promise<Other> {
  try {
    const { pid } = await experiment.another(purpose, {
      change: ({ spec: { linux } }) => {
        linux.namespaces = linux.namespaces.filter(({ type }) => isAsked(type))
        if (!isAsked('time')) delete linux.timeOffsets
      },
    })
    const differs = (kind: (typeof NAMESPACES)[number]) =>
      namespaceInode(pid, kind) !== namespaceInode('self', kind)
    return { pid, own: NAMESPACES.filter(differs) }
  } catch (error) {
    const refused = refusalOf(error)?.message
    if (refused === undefined) throw error
    return { pid: 0, own: [], refused }
  }
}

/** A container that shares our network, as with `--network host`; and one that asks for a user namespace and nothing else. */
export function asAskedStage(): Stage<Made> {
  let noNetwork: Other
  let bare: Other
  let clone = ''
  const isMount = ({ refused }: Other) => refused?.startsWith('mount(') ?? false
  const checks: Check<Made>[] = [
    {
      id: 'only-asked',
      claim: 'a container that asks for no network namespace shares ours',
      look: () =>
        finding(
          noNetwork.refused === undefined && !noNetwork.own.includes('net'),
          noNetwork.refused === undefined
            ? seen(`/proc/${noNetwork.pid}/ns`, null, noNetwork.own.join(' '))
            : [],
          noNetwork.refused ??
            'It has its own net namespace, but spec.linux.namespaces asks for none: the flags are always the same.',
        ),
    },
    {
      id: 'bare',
      claim:
        'one that asks for only a user namespace shares all others with us, and the machine keeps its name',
      look: () =>
        isMount(bare)
          ? notHere('it does not start: see the task about mounts')
          : finding(
              bare.refused === undefined && bare.own.join() === 'user',
              bare.refused === undefined ? seen(`/proc/${bare.pid}/ns`, null, bare.own.join(' ')) : [],
              () => whyNotBare(bare),
            ),
    },
    {
      id: 'cgroup-later',
      claim: 'its cgroup namespace is made by the child, not by the clone',
      look: () =>
        finding(
          !clone.includes('CLONE_NEWCGROUP'),
          seen('clone3', null, /flags=([^,}]*)/.exec(clone)?.[1] ?? clone),
          'CLONE_NEWCGROUP is among the flags of the clone: the root of that namespace is then our cgroup. The child must make it, with unshare(CLONE_NEWCGROUP).',
        ),
    },
    {
      id: 'bare-mounts',
      claim: 'one that asks for no mount namespace changes no mount',
      look: () =>
        bare.refused !== undefined && !isMount(bare)
          ? notHere('it does not start: see the task before')
          : finding(
              !isMount(bare),
              [],
              `${bare.refused}. The specification asks for no mount namespace: these are the mounts of the machine.`,
            ),
    },
  ]
  return {
    title: 'Only what is asked for',
    async act(experiment) {
      clone = experiment.box?.clone?.args ?? ''
      noNetwork = await start(
        experiment,
        'a container that asks for no network namespace',
        type => type !== 'network',
      )
      bare = await start(
        experiment,
        'a container that asks for only a user namespace',
        type => type === 'user',
      )
    },
    checks,
  }
}

function whyNotBare({ own, refused = '' }: Other): string {
  const kind = ABOUT[/^\w+/.exec(refused)?.[0] ?? '']
  if (kind)
    return `${refused}. The specification asks for no ${kind} namespace, so the child must not make this call.`
  if (refused) return refused
  const more = own.filter(name => name !== 'user')
  if (more.length > 0)
    return `It has its own namespaces of kinds that spec.linux.namespaces does not ask for: ${more.join(' ')}.`
  return 'It has no user namespace, but the specification asks for one.'
}
