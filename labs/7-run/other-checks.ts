import type { Ran } from '../../chapters/7-run/commands.ts'
import { finding, notHere, seen } from '../../lib/guide/evidence.ts'
import type { Check, Finding, Scene, Stage } from '../../lib/guide/step.ts'
import { inWords, type Refusal } from '../../lib/guide/refusal.ts'
import { capabilityMask } from '../../lib/kernel/capabilities.ts'
import { recordedAt } from '../../lib/labs/written.ts'
import { type Other, startOther } from './other.ts'
import { four, of, whyBounding, whyUser } from './why-not.ts'

/** The umask with which every container begins: start.ts. */
const USUAL = '0022'

/** No capability, as /proc/<pid>/status prints it. */
const NONE = '0'.repeat(16)

/** The step's own container, and the umask that it asks for. */
type First = Scene & { umask: number }

/** In the order of their tasks. `blame`: what a refusal is about that this check has to name. */
const CHECKS: { id: string; claim: string; blame: RegExp; look(other: Other, first: First): Finding }[] = [
  {
    id: 'asked-capabilities',
    claim: 'a container that asks for other capabilities gets those, and no inheritable ones',
    blame: /PR_CAPBSET|cap(set|Data|Header|abilit)/,
    look({ pid, capabilities }, { pid: first }) {
      const held = BigInt(`0x${of(pid, 'CapBnd')}`)
      const inherited = of(first, 'CapInh')
      return finding(
        held === capabilityMask(capabilities) && inherited === NONE,
        [
          seen(`/proc/${pid}/status (CapBnd)`, of('self', 'CapBnd'), of(pid, 'CapBnd')),
          seen(`/proc/${first}/status (CapInh)`, of('self', 'CapInh'), inherited),
        ],
        () =>
          inherited === NONE
            ? whyBounding(held, capabilities)
            : 'The first container has inheritable capabilities, and its specification lists none. Likeliest: the sets were given to capData in another order than effective, permitted, inheritable.',
      )
    },
  },
  {
    id: 'umask',
    claim:
      'its umask is the usual one, as it asks for none; the first container has the one that it asks for',
    blame: /umask/,
    look({ pid }, { pid: first, umask }) {
      const asked = `0${umask.toString(8).padStart(3, '0')}`
      const [ours, one, two] = [of('self', 'Umask'), of(first, 'Umask'), of(pid, 'Umask')]
      return finding(
        one === asked && two === USUAL,
        [seen(`/proc/${first}/status (Umask)`, ours, one), seen(`/proc/${pid}/status (Umask)`, ours, two)],
        one === asked
          ? `A container that asks for no umask should keep ${USUAL}. Likeliest: umask is called where \`spec.process.user.umask\` is not given.`
          : ours === asked
            ? `Expected ${asked}, and it is ours that has changed. Likeliest: \`process.umask\` was called, which changes the umask of minilab. The call has to be on the tape.`
            : one === USUAL
              ? `Expected ${asked}, and it has the usual one, ${USUAL}. Likeliest: umask was never called, or with a fixed number.`
              : `Expected ${asked}. Likeliest: umask was given another number than \`spec.process.user.umask\`.`,
      )
    },
  },
  {
    id: 'own-user',
    claim: 'user, group and further groups are those that were asked for; no capability is left',
    blame: /setres|setgroups|set[ug]id/,
    look(other) {
      if (other.alone)
        return notHere('a user namespace that an ordinary user makes has one id: there is no other user')
      const { pid, uid, gid, additionalGids } = other
      const fields = ['Uid', 'Gid', 'Groups', 'CapPrm'] as const
      const wanted = [four(uid), four(gid), additionalGids.join(' '), NONE]
      const got = fields.map(field => of(pid, field))
      const wrong = fields.find((_, i) => got[i] !== wanted[i])
      return finding(
        wrong === undefined,
        fields.map((field, i) => seen(`/proc/${pid}/status (${field})`, null, got[i] || 'none')),
        () => whyUser[wrong!](other),
      )
    },
  },
  {
    id: 'privileges-kept',
    claim: 'a container that does not ask for no_new_privs does not get it',
    blame: /PR_SET_NO_NEW_PRIVS/,
    look: ({ pid }) =>
      finding(
        of(pid, 'NoNewPrivs') === '0',
        seen(`/proc/${pid}/status (NoNewPrivs)`, of('self', 'NoNewPrivs'), of(pid, 'NoNewPrivs')),
        'It got no_new_privs, and did not ask for it: sudo cannot work in it. Likeliest: `spec.process.noNewPrivileges` was not looked at.',
      ),
  },
  {
    id: 'privileges-taken',
    claim: 'a container that asks for no_new_privs gets it, also without a profile',
    blame: /PR_SET_NO_NEW_PRIVS/,
    look: ({ third }) =>
      finding(
        of(third, 'NoNewPrivs') === '1',
        seen(`/proc/${third}/status (NoNewPrivs)`, of('self', 'NoNewPrivs'), of(third, 'NoNewPrivs')),
        'It asks for no_new_privs, has no profile, and did not get it. Likeliest: the call is made only where `spec.linux.seccomp` is given.',
      ),
  },
  {
    id: 'no-profile',
    claim: 'a container without a profile gets no filter',
    blame: /seccomp/i,
    look: ({ pid }) =>
      finding(
        of(pid, 'Seccomp') === '0',
        seen(`/proc/${pid}/status (Seccomp)`, of('self', 'Seccomp'), of(pid, 'Seccomp')),
        'It has no profile, and got a filter. Likeliest: `spec.linux.seccomp` was not looked at.',
      ),
  },
]

/** A container with other values than the step's: what `--cap-drop` and `minilab run -u` make. */
export function otherStage(umask: number): Stage<Ran> {
  let other: Other
  return {
    title: 'A container that asks for other values',
    async act(lab) {
      other = await startOther(lab)
    },
    checks: CHECKS.map(({ id, claim, look }, i): Check<Ran> => ({
      id,
      claim,
      look: scene => (other.refused ? notStarted(other.refused, i) : look(other, { ...scene, umask })),
    })),
  }
}

/** It did not start: the check that the refused call belongs to says why, those before it have nothing to look at. */
function notStarted({ message, cause, remedy, place: call = 0, at }: Refusal, number: number): Finding {
  const found = CHECKS.findIndex(({ blame }) => blame.test(`${message} ${at?.text ?? ''}`))
  const blamed = found === -1 ? CHECKS.findIndex(({ id }) => id === 'own-user') : found
  if (number < blamed) return notHere('the container that asks for other values did not start')
  if (number > blamed)
    return finding(false, [], `It did not start. This check must hold first: ${CHECKS[blamed]!.claim}.`)
  const place = at ?? recordedAt.get(call)
  const where = place ? ` (${place.file}, line ${place.line})` : ''
  const why = `A container that asks for other values does not start${where}: ${inWords({ message, cause })}.`
  return finding(false, [], remedy ? `${why} What to do: ${remedy}` : why)
}
