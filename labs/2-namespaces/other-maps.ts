import { readFileSync } from 'node:fs'
import type { Made } from '../../chapters/2-namespaces/step.ts'
import { isPart, type Part } from '../../lib/container/part.ts'
import type { IdMapping } from '../../lib/container/spec.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Experiment } from '../../lib/guide/experiment.ts'
import { refusalOf } from '../../lib/guide/refusal.ts'
import type { Stage } from '../../lib/guide/step.ts'

const ROOT: IdMapping = { containerID: 0, hostID: 0, size: 1 }
/** A map that makes our root another user inside. So user 0 does not exist there, and the kernel refuses to switch to it. */
const ELSEWHERE: IdMapping = { containerID: 5, hostID: 0, size: 1 }
/** Where we have more than one id to give: a second entry. */
const OTHERS: IdMapping = { containerID: 20, hostID: 1000, size: 3 }

const FILES = ['uid_map', 'gid_map'] as const
type File = (typeof FILES)[number]

/** For users and for groups: the file of the map, and the call that must be refused with it. */
const KINDS = [
  { file: 'uid_map', call: 'setresuid', uid: ELSEWHERE, gid: ROOT },
  { file: 'gid_map', call: 'setresgid', uid: ROOT, gid: ELSEWHERE },
] as const

const lines = (map: readonly IdMapping[]) =>
  map.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}`).join(', ')

interface Tried {
  kind: (typeof KINDS)[number]
  asked: Record<File, string>
  /** as the kernel shows them; undefined if it did not get that far */
  got?: Record<File, string>
  /** what was refused; undefined where the container was made */
  refused?: string
}

/** The entries of a map as one line, commas between them. */
const readMap = (pid: number, file: File) =>
  readFileSync(`/proc/${pid}/${file}`, 'utf8')
    .trim()
    .split('\n')
    .map(entry => entry.trim().replaceAll(/\s+/g, ' '))
    .join(', ') || 'empty'

/** Makes a container with other maps, as far as possible; they are read while the child waits at its gate. */
async function tryOut(experiment: Experiment<Made>, kind: (typeof KINDS)[number]): Promise<Tried> {
  const { file, uid, gid } = kind
  const more = experiment.options.rootless ? [] : [OTHERS]
  const maps = { uidMappings: [uid, ...more], gidMappings: [gid, ...more] }
  const tried: Tried = { kind, asked: { uid_map: lines(maps.uidMappings), gid_map: lines(maps.gidMappings) } }
  const watch: Part = {
    name: 'namespaces',
    attach: (_, pid) =>
      void (tried.got = { uid_map: readMap(pid, 'uid_map'), gid_map: readMap(pid, 'gid_map') }),
  }
  try {
    await experiment.another(`a container with another ${file}`, {
      parts: experiment.step.parts.flatMap(part => (isPart(part, 'namespaces') ? [part, watch] : [part])),
      change: ({ spec: { linux } }) => Object.assign(linux, maps),
    })
  } catch (error) {
    tried.refused = refusalOf(error)?.message
    if (tried.refused === undefined) throw error
  }
  return tried
}

/** Two containers whose maps are not the identity: where ours is the only id, the step's own map is `0 0 1`. */
export function otherMapsStage(): Stage<Made> {
  let tried: Tried[] = []
  const isRight = ({ kind, asked, got, refused }: Tried) =>
    FILES.every(file => got?.[file] === asked[file]) && refused?.startsWith(`${kind.call}(`)
  return {
    title: 'Other maps',
    async act(experiment) {
      tried = []
      for (const kind of KINDS) tried.push(await tryOut(experiment, kind))
    },
    checks: [
      {
        id: 'other-maps',
        claim: 'maps in which our root is user 5, or group 5, are written in full; 0 does not exist there',
        look() {
          const wrong = tried.find(one => !isRight(one))
          return finding(
            wrong === undefined,
            tried.flatMap(({ kind: { file, call }, got, refused }) => [
              seen(`/proc/<pid>/${file}`, null, got?.[file] ?? 'none'),
              seen(`${call}(0, 0, 0)`, null, refused ?? 'not refused'),
            ]),
            wrong && whyWrong(wrong),
          )
        },
      },
    ],
  }
}

function whyWrong({ kind: { file, call }, asked, got, refused }: Tried): string {
  const refusedMap = /^write\("[^"]*\/([ug]id_map)"/.exec(refused ?? '')?.[1] as File | undefined
  if (refusedMap) {
    const repeated = /= -1 EPERM/.test(refused ?? '')
      ? ' A map is written once: all of its lines in one write.'
      : ''
    return `${refused}. The specification asks for ${asked[refusedMap]}: a line of a map is \`inside outside count\`, with a newline after it.${repeated}`
  }
  if (!got) return refused ?? 'no map was written'
  const wrong = FILES.find(name => got[name] !== asked[name])
  if (wrong)
    return `The specification asks for ${asked[wrong]} in ${wrong}: the ids inside and outside and the count, for each entry. ${wrong} became ${got[wrong]}.`
  if (refused === undefined)
    return `Its ${file} has no id 0, but the child went on: it never called ${call}(0, 0, 0).`
  return `Its ${file} has no id 0, so the kernel must refuse ${call}(0, 0, 0). It refused something else: ${refused}.`
}
