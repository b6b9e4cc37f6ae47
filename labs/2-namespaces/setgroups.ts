import { readFileSync } from 'node:fs'
import type { Made } from '../../chapters/2-namespaces/step.ts'
import { isPart, type Part } from '../../lib/container/part.ts'
import { finding, notHere, seen } from '../../lib/guide/evidence.ts'
import { refusalOf } from '../../lib/guide/refusal.ts'
import type { Stage } from '../../lib/guide/step.ts'

const ORDINARY = 1000

/** The part with an `attach` that takes us for an ordinary user: here we are root, at least in a user namespace. */
function asOrdinaryUser(part: Part): Part {
  return {
    ...part,
    async attach(...given) {
      const { getuid, geteuid } = process
      process.getuid = process.geteuid = () => ORDINARY
      try {
        await part.attach?.(...given)
      } finally {
        Object.assign(process, { getuid, geteuid })
      }
    },
  }
}

const WHO: Record<string, string> = { root: 'root makes it', ordinary: 'an ordinary user makes it' }
const SAYS = { root: 'allow', ordinary: 'deny' } as const
type Who = keyof typeof SAYS

/** The same container, made by root and by an ordinary user: user_namespaces(7), "The /proc/pid/setgroups file". */
export function setgroupsStage(): Stage<Made> {
  const got: Partial<Record<Who, string>> = {}
  let rootless = false
  return {
    title: 'Whether groups can be left',
    async act(experiment) {
      rootless = experiment.options.rootless
      const read = (pid: number) => readFileSync(`/proc/${pid}/setgroups`, 'utf8').trim()
      if (!rootless) got.root = read(experiment.scene.pid)
      try {
        const box = await experiment.another('a container that an ordinary user makes', {
          parts: experiment.step.parts.map(part =>
            isPart(part, 'namespaces') ? asOrdinaryUser(part) : part,
          ),
        })
        got.ordinary = read(box.pid)
      } catch (error) {
        got.ordinary = refusalOf(error)?.message
        if (got.ordinary === undefined) throw error
      }
    },
    checks: (['root', 'ordinary'] as const).map(who => ({
      id: `setgroups-${who}`,
      claim: `where ${WHO[who]}, /proc/<pid>/setgroups says \`${SAYS[who]}\``,
      look: () =>
        (who === 'root' && rootless) || (got[who] === 'deny' && isInherited())
          ? notHere("an ordinary user's containers have inherited `deny`")
          : finding(got[who] === SAYS[who], seen('/proc/<pid>/setgroups', null, got[who] ?? 'none'), () =>
              whyWrong(who, got[who] ?? 'none'),
            ),
    })),
  }
}

/** Denied once, it stays so in all user namespaces below: user_namespaces(7). */
const isInherited = () => readFileSync('/proc/self/setgroups', 'utf8').trim() === 'deny'

function whyWrong(who: Who, got: string): string {
  if (who === 'root')
    return 'It says deny: as root, leave setgroups alone, or no program inside can set its groups.'
  if (got === 'allow')
    return 'It says allow: `deny` was not written to setgroups although `process.getuid()` is not 0, and then the kernel accepts no gid_map.'
  return `${got}. Write \`deny\` to setgroups before gid_map: afterwards the kernel refuses it.`
}
