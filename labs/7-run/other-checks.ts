import { certain } from '../../lib/common/certain.ts'
import type { Ran } from '../../chapters/7-run/commands.ts'
import type { Part } from '../../lib/container/part.ts'
import { finding, notHere, seen } from '../../lib/guide/evidence.ts'
import { inWords, type Refusal } from '../../lib/guide/refusal.ts'
import type { Check, Finding, Scene, Stage } from '../../lib/guide/step.ts'
import { capabilityMask } from '../../lib/kernel/process/capabilities.ts'
import { type Others, startOthers } from './other.ts'
import type { Latest } from './refused.ts'
import { four, maskOf, of, whyBounding, whyListed, whyPermitted, whyUmask, whyUser } from './why-not.ts'

/** The umask with which every container begins: start.ts. */
const USUAL = '0022'

/** No capability, as /proc/<pid>/status prints it. */
const NONE = '0'.repeat(16)

/** The step's own container, and the umask that it asks for. */
type First = Scene & { umask: number }

interface OtherCheck {
  id: string
  claim: string
  /** the calls whose refusal this check has to name */
  blame: RegExp
  /** what a container may lack, if the learner's code fails because of that */
  lacking?: string
  look(others: Others, first: First): Finding
}

const status = (pid: number, field: string) =>
  seen(`/proc/${pid}/status (${field})`, of('self', field), of(pid, field))

/** In the order of their tasks. */
const CHECKS: OtherCheck[] = [
  {
    id: 'asked-capabilities',
    claim: 'containers that ask for other capabilities get those, and no inheritable ones',
    blame: /PR_CAPBSET|cap(set|Data|Header|abilit)|bounding|permitted|effective/,
    lacking: 'This container lists no capabilities, and a missing list is empty.',
    look({ user, root, filtered }, { pid: first }) {
      const [own, less] = [user.capabilities.bounding ?? [], root.capabilities]
      // capabilities(7): without no_new_privs execve gives root the whole bounding set
      const kept = (of(root.pid, 'NoNewPrivs') === '1' ? less.permitted : less.bounding) ?? []
      const sets: [pid: number, field: string, asked: readonly string[], why: (held: bigint) => string][] = [
        [user.pid, 'CapBnd', own, held => whyBounding(held, own)],
        [filtered.pid, 'CapBnd', [], whyListed],
        [
          first,
          'CapInh',
          [],
          () =>
            'The first container has inheritable capabilities, but its specification lists none. Likeliest: the third argument of capData is another list than `inheritable`, or the sets are in another order than effective, permitted, inheritable.',
        ],
        [root.pid, 'CapPrm', kept, held => whyPermitted(held, less)],
      ]
      const wrong = sets.find(([pid, field, asked]) => maskOf(pid, field) !== capabilityMask([...asked]))
      return finding(
        wrong === undefined,
        sets.map(([pid, field]) => status(pid, field)),
        wrong && wrong[3](maskOf(wrong[0], wrong[1])),
      )
    },
  },
  {
    id: 'umask',
    claim: 'a container has the umask that it asks for, and the usual umask if it asks for none',
    blame: /umask/,
    look({ user, root }, { pid: first, umask }) {
      const asked = `0${umask.toString(8).padStart(3, '0')}`
      const rows = [
        { pid: first, wanted: asked },
        { pid: user.pid, wanted: USUAL },
        { pid: root.pid, wanted: '0000' },
      ]
      const wrong = rows.find(({ pid, wanted }) => of(pid, 'Umask') !== wanted)
      return finding(
        wrong === undefined,
        rows.map(({ pid }) => status(pid, 'Umask')),
        wrong && whyUmask(of(wrong.pid, 'Umask'), wrong.pid === user.pid ? undefined : wrong.wanted, USUAL),
      )
    },
  },
  {
    id: 'own-user',
    claim: 'user, group and further groups are those asked for; no user but root has capabilities',
    blame: /setres|setgroups|set[ug]id/,
    look({ alone, user, root, filtered }) {
      if (alone)
        return notHere('a user namespace made by an ordinary user has only one id: there is no other user')
      const fields = ['Uid', 'Gid', 'Groups', 'CapPrm'] as const
      const rows = [user, root, filtered].flatMap(other => {
        const { pid, uid, gid, additionalGids } = other
        const wanted = [four(uid), four(gid), additionalGids.join(' '), uid === 0 ? of(pid, 'CapPrm') : NONE]
        return fields.map((field, i) => ({ other, field, wrong: of(pid, field) !== wanted[i] }))
      })
      const first = rows.find(({ wrong }) => wrong)
      const { pid } = first?.other ?? user
      return finding(
        first === undefined,
        fields.map(field => seen(`/proc/${pid}/status (${field})`, null, of(pid, field) || 'none')),
        first && whyUser[first.field](first.other),
      )
    },
  },
  {
    id: 'privileges-kept',
    claim: 'a container that does not ask for no_new_privs does not get it',
    blame: /PR_SET_NO_NEW_PRIVS, 0/, // there is no such call: it can only be set
    look: ({ user: { pid } }) =>
      finding(
        of(pid, 'NoNewPrivs') === '0',
        status(pid, 'NoNewPrivs'),
        'It got no_new_privs, but did not ask for it: sudo cannot work in it. Likeliest: `spec.process.noNewPrivileges` was not looked at, or taken for true when it has no value.',
      ),
  },
  {
    id: 'privileges-taken',
    claim: 'a container that asks for no_new_privs gets it, even without a profile, and for another user',
    blame: /PR_SET_NO_NEW_PRIVS/,
    look: ({ root, filtered }) =>
      finding(
        [root, filtered].every(({ pid }) => of(pid, 'NoNewPrivs') === '1'),
        [root, filtered].map(({ pid }) => status(pid, 'NoNewPrivs')),
        () =>
          of(root.pid, 'NoNewPrivs') === '1'
            ? 'It asks for no_new_privs, its user is not root, and it did not get it. Likeliest: the call was left out when `spec.process.user.uid` is not 0.'
            : 'It asks for no_new_privs, has no profile, and did not get it. Likeliest: the call is made only if `spec.linux.seccomp` is given.',
      ),
  },
  {
    id: 'no-profile',
    claim: 'a container without a profile gets no filter',
    blame: /seccomp/i,
    lacking: 'This container has no profile: `spec.linux.seccomp` is undefined.',
    look: ({ user: { pid } }) =>
      finding(
        of(pid, 'Seccomp') === '0',
        status(pid, 'Seccomp'),
        'It has no profile, but got a filter. Likeliest: `spec.linux.seccomp` was not looked at.',
      ),
  },
  {
    id: 'profile-of-user',
    claim: 'a container with a profile gets a filter, even if its user is not root',
    blame: /seccomp/i,
    look: ({ filtered: { pid } }) =>
      finding(
        of(pid, 'Seccomp') === '2',
        status(pid, 'Seccomp'),
        'It has a profile, its user is not root, and it got no filter. Likeliest: seccomp was never called when `spec.process.user.uid` is not 0.',
      ),
  },
]

/** Containers with other values than the step's, as `--cap-drop` and `minilab run -u` make them. They are made of these parts. */
export function otherStage(umask: number, parts: readonly Part[], latest: Latest): Stage<Ran> {
  let others: Others
  return {
    title: 'Containers that ask for other values',
    async act(experiment) {
      others = await startOthers(experiment, parts, latest)
    },
    checks: CHECKS.map(({ id, claim, look }, i): Check<Ran> => ({
      id,
      claim,
      look: scene => (others.refusal ? notStarted(others.refusal, i) : look(others, { ...scene, umask })),
    })),
  }
}

/** It did not start: the check for the refused call says why; the checks before it have nothing to look at. */
function notStarted({ message, cause, remedy, at }: Refusal, number: number): Finding {
  const isAbout = (words: string) => CHECKS.findIndex(({ blame }) => blame.test(words))
  const [call = ''] = message.split(' = -1') // its cause may name other calls
  const found = [call, at?.text ?? ''].map(isAbout).find(i => i !== -1)
  const blamed = found ?? CHECKS.findIndex(({ id }) => id === 'own-user')
  if (number < blamed) return notHere('the container that asks for other values did not start')
  const { claim, lacking } = certain(CHECKS[blamed])
  if (number > blamed) return finding(false, [], `It did not start. This check must hold first: ${claim}.`)
  const where = at ? ` (${at.file}, line ${at.line})` : ''
  const why = `A container that asks for other values does not start${where}: ${inWords({ message, cause })}.`
  const todo = lacking && message.includes('TypeError') ? lacking : remedy && `What to do: ${remedy}`
  return finding(false, [], [why, todo].filter(Boolean).join(' '))
}
