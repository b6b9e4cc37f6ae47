import { readFileSync } from 'node:fs'
import type { Made } from '../../chapters/2-namespaces/step.ts'
import type { Part } from '../../lib/container/part.ts'
import type { IdMapping } from '../../lib/container/spec.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Lab } from '../../lib/guide/lab.ts'
import { refusalOf } from '../../lib/guide/refusal.ts'
import type { Stage } from '../../lib/guide/step.ts'

/** A map by which our root is another user inside. So user 0 does not exist there, and to become it is refused. */
const ELSEWHERE: IdMapping = { containerID: 5, hostID: 0, size: 1 }
const ROOT: IdMapping = { containerID: 0, hostID: 0, size: 1 }
const line = ({ containerID, hostID, size }: IdMapping) => `${containerID} ${hostID} ${size}`

/** For users and for groups: the file of the map, and the call that must be refused with it. */
const KINDS = [
  { file: 'uid_map', call: 'setresuid', uid: ELSEWHERE, gid: ROOT },
  { file: 'gid_map', call: 'setresgid', uid: ROOT, gid: ELSEWHERE },
]

interface Tried {
  map: string
  /** what was refused; undefined where the container was made */
  refused: string | undefined
}

/** Makes a container with other maps, as far as that goes; the map is read while the child waits at its gate. */
async function tryOut(lab: Lab<Made>, { file, uid, gid }: (typeof KINDS)[number]): Promise<Tried> {
  let map = 'none'
  const watch: Part = {
    name: 'namespaces',
    attach: (_, pid) =>
      void (map = readFileSync(`/proc/${pid}/${file}`, 'utf8').trim().replaceAll(/\s+/g, ' ') || 'empty'),
  }
  try {
    await lab.another(`a container with another ${file}`, {
      parts: lab.step.parts.flatMap(part => (part.name === 'namespaces' ? [part, watch] : [part])),
      change: ({ spec: { linux } }) => Object.assign(linux, { uidMappings: [uid], gidMappings: [gid] }),
    })
    return { map, refused: undefined }
  } catch (error) {
    const refused = refusalOf(error)?.message
    if (refused === undefined) throw error
    return { map, refused }
  }
}

/** Two containers whose maps are not the identity: where ours is the only id, the step's own map is `0 0 1`. */
export function otherMapsStage(): Stage<Made> {
  let tried: Tried[] = []
  return {
    title: 'Other maps',
    async act(lab) {
      tried = []
      for (const kind of KINDS) tried.push(await tryOut(lab, kind))
    },
    checks: [
      {
        id: 'other-maps',
        claim:
          'a map in which our root is user 5, and one in which it is group 5, is written as it is; nobody is 0 there',
        look() {
          const wrong = KINDS.findIndex(
            ({ call }, i) => tried[i]!.map !== line(ELSEWHERE) || !tried[i]!.refused?.startsWith(`${call}(`),
          )
          return finding(
            wrong === -1,
            KINDS.flatMap(({ file, call }, i) => [
              seen(`/proc/<pid>/${file}`, null, tried[i]!.map),
              seen(`${call}(0, 0, 0)`, null, tried[i]!.refused ?? 'not refused'),
            ]),
            () => whyWrong(KINDS[wrong]!, tried[wrong]!),
          )
        },
      },
    ],
  }
}

function whyWrong({ file, call }: (typeof KINDS)[number], { map, refused }: Tried): string {
  if (refused === undefined && map === line(ELSEWHERE))
    return `By its ${file} nobody is 0 in there, and the child went on: it never called ${call}(0, 0, 0).`
  const what = refused === undefined || map !== 'none' ? `${file} became “${map}”` : refused
  return `The specification asks for the line “${line(ELSEWHERE)}” in ${file}: inside, outside, how many. ${what}.`
}
