import type { Ran } from '../../chapters/7-run/commands.ts'
import { finding, notHere, seen } from '../../lib/guide/evidence.ts'
import type { Stage } from '../../lib/guide/step.ts'
import { status } from '../../lib/kernel/procfs.ts'

/** Who the container's program shall be, where there is anybody else than root. */
const USER = { uid: 1000, gid: 1001, umask: 0o027, additionalGids: [1002] }

const ids = (pid: number, field: string) => (status(pid)[field] ?? 'none').split(/\s+/).join(' ').trim()

/** A container with another user: what `minilab run -u` makes. */
export function anotherUser(): Stage<Ran> {
  const other = { pid: 0, alone: false }
  return {
    title: 'Another user',
    async act(lab) {
      const box = await lab.another('a container with another user', {
        change({ spec: { process, linux } }) {
          other.alone = linux.uidMappings?.[0]?.size === 1
          const { umask } = USER
          Object.assign(process.user, other.alone ? { umask } : USER)
          // capabilities(7): a user other than root keeps none across execve
          if (!other.alone) process.capabilities = { bounding: process.capabilities?.bounding ?? [] }
        },
      })
      other.pid = box.pid
    },
    checks: [
      {
        id: 'umask',
        claim: 'its umask is the one that was asked for',
        look() {
          const umask = ids(other.pid, 'Umask')
          return finding(
            umask === '0027',
            seen(`/proc/${other.pid}/status (Umask)`, ids(process.pid, 'Umask'), umask),
            umask === ids(process.pid, 'Umask')
              ? 'Expected 0027. Likeliest: umask was never called, and it has ours.'
              : 'Expected 0027. Likeliest: a umask was chosen that the spec does not name.',
          )
        },
      },
      {
        id: 'own-user',
        claim: 'user, group and further groups are those that were asked for; no capability is left',
        look() {
          if (other.alone)
            return notHere('a user namespace that an ordinary user makes has one id: there is nobody else')
          const [uid, gid, groups, capabilities] = ['Uid', 'Gid', 'Groups', 'CapPrm'].map(field =>
            ids(other.pid, field),
          )
          return finding(
            uid === four(USER.uid) &&
              gid === four(USER.gid) &&
              groups === USER.additionalGids.join(' ') &&
              /^0+$/.test(capabilities ?? ''),
            [
              seen(`/proc/${other.pid}/status (Uid)`, null, uid ?? null),
              seen(`/proc/${other.pid}/status (Gid)`, null, gid ?? null),
              seen(`/proc/${other.pid}/status (Groups)`, null, groups || 'none'),
              seen(`/proc/${other.pid}/status (CapPrm)`, null, capabilities ?? null),
            ],
            uid !== four(USER.uid)
              ? `Expected user ${USER.uid}. Likeliest: setresuid was never called.`
              : gid !== four(USER.gid)
                ? `Expected group ${USER.gid}: it is still in another one, and may do what that may. Likeliest: setresgid was never called.`
                : groups !== USER.additionalGids.join(' ')
                  ? `Expected ${USER.additionalGids.join(' ')} as its further groups. Likeliest: setgroups was never called, and it is in ours.`
                  : 'It holds capabilities, and is not root.',
          )
        },
      },
    ],
  }
}

/** Real, effective, saved and that of the file system. */
const four = (id: number) => Array(4).fill(id).join(' ')
