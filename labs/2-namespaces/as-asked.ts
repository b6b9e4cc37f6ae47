import type { Made } from '../../chapters/2-namespaces/step.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import { refusalOf } from '../../lib/guide/refusal.ts'
import type { Stage } from '../../lib/guide/step.ts'
import { namespaceInode } from '../../lib/kernel/procfs.ts'

const ourNet = () => namespaceInode('self', 'net')

/** A container that shall share our network, as with `--network host`: its specification leaves out that one kind. */
export function asAskedStage(): Stage<Made> {
  let pid = 0
  let net: number | null = null
  let refused: string | undefined
  return {
    title: 'Only what is asked for',
    async act(lab) {
      try {
        const box = await lab.another('a container that asks for no network of its own', {
          change({ spec: { linux } }) {
            linux.namespaces = linux.namespaces.filter(({ type }) => type !== 'network')
          },
        })
        pid = box.pid
        net = namespaceInode(pid, 'net')
      } catch (error) {
        refused = refusalOf(error)?.message
        if (refused === undefined) throw error
      }
    },
    checks: [
      {
        id: 'only-asked',
        claim: 'a container that asks for no network of its own shares ours',
        look: () =>
          finding(
            net === ourNet(),
            refused === undefined ? seen(`/proc/${pid}/ns/net`, ourNet(), net) : [],
            refused ??
              'It has a net namespace of its own, and spec.linux.namespaces asks for none: the flags are always the same.',
          ),
      },
    ],
  }
}
