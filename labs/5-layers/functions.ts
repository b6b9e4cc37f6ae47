import { join } from 'node:path'
import { certain } from '../../lib/common/certain.ts'
import { isKind } from '../../lib/common/errors.ts'
import { learnersError } from '../../lib/labs/problem.ts'
import { entriesOfTar, upperOf } from '../../chapters/5-layers/readings.ts'
import { keepsXattrs, type Layered, type Stack, step as chapter } from '../../chapters/5-layers/step.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check, Stage } from '../../lib/guide/step.ts'
import { packLayer } from '../../lib/image/pack.ts'
import { type Entries, entriesOf, whyChanges } from './causes.ts'
import { type Returned, whyNames } from './name-causes.ts'
import { changedNames, differences, disguised, filesOf, planChanges } from './changed.ts'

// What the learner's functions say about a live container, compared with what can be seen in it.

export type Changes = (upper: string, image: string) => unknown
export type TarNames = (upper: string, path: string) => unknown

/** A container that has changed a lot, and what the learner's functions read in its upper directory. */
export function readUpper(changes: Changes, tarNames: TarNames): Stage<Stack>[] {
  let changer: Layered | undefined
  let plan: ReturnType<typeof planChanges> | undefined
  let read: Listed = { pid: 0, upper: '', entries: new Map(), image: '', listed: [], again: [] }
  let names: Named = { theirs: [], returned: [], upper: '', entries: new Map() }
  return [
    {
      title: 'What a container has changed',
      act: async experiment => {
        keepsXattrs(experiment)
        plan = planChanges(
          certain(experiment.scene.lower[0]),
          experiment.folder('image'),
          experiment.folder('elsewhere'),
        )
        const { image, script } = plan
        // built from our parts: only the functions are tested here
        const { pid, shell, container } = await experiment.another('a container that changes a lot', {
          parts: chapter.parts,
          change: ({ layers }) => void (layers && (layers.lower = [image])),
        })
        changer = { pid, shell, folder: container.layers?.folder ?? '' }
        for (const command of script) {
          const { status, output } = await shell.run(command)
          if (status !== 0) throw new Error(`${command}: ${output}`)
        }
        const upper = upperOf(changer)
        read = { pid, upper, entries: new Map(), image, listed: [], again: [] }
        disguised(upper, plan, () => {
          read.entries = entriesOf(upper)
          const list = () => hinted(() => changes(upper, image))
          const first = list()
          read.listed = isList(first) ? [...first] : first // the list may grow with each call
          read.again = list()
        })
      },
      checks: [changesCheck(() => read)],
    },
    {
      title: 'Its layer as a tar',
      act: async experiment => {
        keepsXattrs(experiment)
        if (!changer || !plan) return
        const upper = upperOf(changer)
        const tar = join(experiment.folder('packed'), 'layer.tar')
        await packLayer(upper, tar, { overlay: true })
        const theirs = (await entriesOfTar(tar)).map(({ name }) => bare(name)).filter(Boolean)
        disguised(upper, plan, () => {
          const entries = entriesOf(upper)
          const paths = [...entries.keys()].filter(Boolean)
          const returned = paths.map(path => ({ path, names: hinted(() => tarNames(upper, path)) }))
          names = { theirs, returned, upper, entries }
        })
      },
      checks: [namesCheck(() => names)],
    },
  ]
}

/** What a function returns. If a path is not what the function expected, the error says so. */
function hinted<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    if (!isKind(error, 'refused')) throw error
    const remedy = Object.entries(REMEDIES).find(([words]) => error.message.includes(words))?.[1]
    if (!remedy) throw error
    const { message: what, at } = error
    throw learnersError({ what, ...(at && { at }), remedy })
  }
}

const REMEDIES = {
  'ENOENT: no such file or directory, stat':
    '`stat` follows a symbolic link, and this link leads nowhere: use `lstatSync`',
  ENOENT: 'check first whether it exists: the image does not have everything that upper has',
  ENOTDIR:
    'a part of this path is a file there: before you go into a directory, check what the image has there',
  ELOOP: 'this is a symbolic link that leads to itself: do not follow links',
}

const isList = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every(entry => typeof entry === 'string')

/** A `./` before the name and a `/` after it make no difference in a tar. */
const bare = (name: string) => name.replace(/^(\.\/+)+/, '').replace(/\/+$/, '')

/** Some lines without others: a line that is there twice is left over once. */
function without(some: readonly string[], others: readonly string[]): string[] {
  const left = [...others]
  return some.filter(line => {
    const at = left.indexOf(line)
    if (at !== -1) left.splice(at, 1)
    return at === -1
  })
}

interface Listed {
  pid: number
  upper: string
  entries: Entries
  image: string
  listed: unknown
  /** of a second call */
  again: unknown
}

const TWICE =
  'Called again for the same directories, it does not return the same: a variable outside the function keeps what was found before. Lines of the second call:'

function changesCheck(of: () => Listed): Check<Stack> {
  return {
    id: 'changes-listed',
    claim: "what `changes` lists is what differs between the container's files and the image's",
    look() {
      const { pid, upper, entries, image, listed, again } = of()
      const changed = changedNames(pid, upper)
      const [before, after] = [filesOf(image, changed), filesOf(`/proc/${pid}/root`, changed)]
      const wanted = differences(before, after)
      const given = isList(listed) ? listed : []
      const [lacking, more] = [without(wanted, given), without(given, wanted)]
      const isRight = wanted.length > 0 && isList(listed) && lacking.length + more.length === 0
      const isSame = isList(again) && again.length === given.length && without(again, given).length === 0
      return finding(
        isRight && isSame,
        [
          seen(`the image, and /proc/${pid}/root`, null, summed(wanted)),
          seen('changes(upper, image)', null, isList(listed) ? summed(listed) : few([String(listed)])),
        ],
        () =>
          notList(listed) ??
          (isRight ? `${TWICE} ${isList(again) ? again.length : few([String(again)])}.` : undefined) ??
          `${whyChanges({ lacking, more, listed: given, upper, entries, image: before, root: after })} ${diff(lacking, more)}`,
      )
    },
  }
}

interface Named {
  theirs: string[]
  returned: Returned[]
  upper: string
  entries: Entries
}

function namesCheck(of: () => Named): Check<Stack> {
  return {
    id: 'names-in-tar',
    claim: "by the names of `tarNames`, the layer's tar has exactly these entries",
    look() {
      const { theirs, returned, upper, entries } = of()
      const ours = returned.flatMap(({ names }) => (isList(names) ? names.map(bare) : []))
      const wrong = returned.find(({ names }) => !isList(names))
      const [lacking, more] = [without(theirs, ours), without(ours, theirs)]
      return finding(
        !wrong && theirs.length > 0 && lacking.length + more.length === 0,
        [
          seen('the entries of layer.tar', summed(theirs), null),
          seen('tarNames of each in upper', summed(ours), null),
        ],
        () =>
          wrong
            ? `For ${wrong.path}: ${notList(wrong.names)}`
            : ours.length === 0
              ? 'It names nothing.'
              : `${whyNames({ lacking, more, ours, returned, upper, entries })} ${diff(lacking, more)}`,
      )
    },
  }
}

function notList(value: unknown): string | undefined {
  if (isList(value)) return value.length ? undefined : 'It returns an empty list.'
  const what = value instanceof Promise ? 'a promise: the function must not be async' : few([String(value)])
  return `It must return a list of strings, but returned ${what}.`
}

const few = (lines: readonly string[]) =>
  lines.slice(0, 5).join(', ').slice(0, 500) + (lines.length > 5 ? ` and ${lines.length - 5} more` : '')
const summed = (lines: readonly string[]) => (lines.length ? `${lines.length}: ${few(lines)}` : 'nothing')

const diff = (lacking: readonly string[], more: readonly string[]) =>
  [lacking.length && `Missing: ${few(lacking)}.`, more.length && `Too much: ${few(more)}.`]
    .filter(Boolean)
    .join(' ')
