import { readFileSync } from 'node:fs'
import type { Made } from '../../chapters/2-namespaces/step.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check } from '../../lib/guide/step.ts'
import { mountinfo } from '../../lib/kernel/mount/mountinfo.ts'
import { namespaceInode } from '../../lib/kernel/process/procfs.ts'

const HOSTNAME = '/proc/sys/kernel/hostname'

/** The name that it has from the start, before a visitor gives it another. */
export function named(name: string): Check<Made> {
  return {
    id: 'named',
    claim: 'it has the name that the specification gives it, and the machine has another',
    async look({ pid, shell }) {
      const host = readFileSync(HOSTNAME, 'utf8').trim()
      // read by the shell itself, because one that cannot fork can still read
      const container = (await shell.run(`read -r name <${HOSTNAME}; echo "$name"`)).output
      const own = namespaceInode(pid, 'uts') !== namespaceInode('self', 'uts')
      return finding(
        container === name && host !== name,
        seen(HOSTNAME, host, container),
        host === name
          ? own
            ? 'The machine has that name now: it was set before the new uts namespace existed, or by us.'
            : 'The machine has that name now: they share one uts namespace; CLONE_NEWUTS is missing.'
          : container !== '' && container !== host && name.startsWith(container)
            ? `It should be ${name}, but the end is cut off: the length is in bytes, and é takes two.`
            : container !== host
              ? `It should be ${name}: the name comes from spec.hostname.`
              : `It should be ${name}. A new uts namespace begins as a copy of the old one, and keeps that name until sethostname is called in it.`,
      )
    },
  }
}

/** Both maps, as the specification has them. */
export function mapped(asked: () => Record<'uid_map' | 'gid_map', string>): Check<Made> {
  return {
    id: 'maps-asked',
    claim: 'its users and groups are mapped as the specification says',
    look({ pid }) {
      const maps = Object.entries(asked()).map(([file, wanted]) => {
        const got = readFileSync(`/proc/${pid}/${file}`, 'utf8')
          .trim()
          .replaceAll(/[ \t]+/g, ' ')
        return { file, wanted, got: got || '(empty)' }
      })
      const wrong = maps.find(({ wanted, got }) => wanted !== got)
      return finding(
        !wrong,
        maps.map(({ file, got }) => seen(`/proc/${pid}/${file}`, null, got)),
        wrong &&
          (wrong.got === '(empty)'
            ? `${wrong.file} is empty: it was not written while the child waited at its gate.`
            : `${wrong.file} should be ${wrong.wanted}: the ids inside and outside and the count, for each entry of the specification.`),
      )
    },
  }
}

/** No mount anywhere propagates to or from another. */
export const allPrivate: Check<Made> = {
  id: 'all-private',
  claim: 'none of its mounts is tied to one of ours, neither the root nor those below it',
  look({ pid }) {
    if (namespaceInode(pid, 'mnt') === namespaceInode('self', 'mnt'))
      return finding(false, [], 'It shares our mnt namespace: CLONE_NEWNS is missing from the clone flags.')
    // an unbindable mount propagates nothing: mount_namespaces(7)
    const tied = mountinfo(pid).filter(({ propagation }) => propagation.some(tie => tie !== 'unbindable'))
    const [first] = tied
    return finding(
      !first,
      seen(
        `/proc/${pid}/mountinfo (propagation)`,
        null,
        first ? `${first.target}: ${first.propagation.join(' ')}` : 'private',
      ),
      first &&
        (tied.some(({ target }) => target === '/')
          ? first.propagation.some(tie => tie.startsWith('shared'))
            ? 'Its mounts are shared: what is mounted in one member of a peer group is mounted in all.'
            : 'Its mounts follow ours (master): what the host mounts appears in the container. MS_PRIVATE cuts that.'
          : `Only / itself was made private; ${tied.length} mounts below it are still tied: MS_REC is missing.`),
    )
  },
}
