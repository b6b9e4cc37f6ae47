import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { directories, entriesOfTar, rootMount, upperOf } from '../../chapters/5-layers/readings.ts'
import { keepsXattrs, type Layered, type Stack } from '../../chapters/5-layers/step.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Lab } from '../../lib/guide/lab.ts'
import { type Refusal, refusalOf } from '../../lib/guide/refusal.ts'
import type { Check, Stage } from '../../lib/guide/step.ts'
import { packLayer } from '../../lib/image/pack.ts'
import { treeDigest, type TreeEntry } from '../../lib/image/tree-digest.ts'
import { mountinfo } from '../../lib/kernel/mountinfo.ts'

// What the lab tries besides the step: an image of several layers, and what the learner's functions say of a live container.

export type Changes = (upper: string, image: string) => unknown
export type TarNames = (upper: string, path: string) => unknown

/** Layers whose names have in them what separates layers and options. */
const NAMES = ['v2, top', 'v1:base']

/** A container on three layers: the image, and two of ours over it. */
export function threeLayers(): Stage<Stack> {
  let wanted: string[] = []
  let pid = 0
  let said = ''
  let refused: Refusal | undefined
  return {
    title: 'An image of several layers',
    act: async lab => {
      wanted = [...NAMES.map(name => layer(lab, name)), ...lab.scene.lower]
      try {
        const box = await lab.another('a container on three layers', {
          change: ({ layers }) => void (layers && (layers.lower = wanted)),
        })
        pid = box.pid
        said = (await box.shell.run('cat /etc/top /etc/base')).output.trim().split('\n').join(', ')
      } catch (error) {
        refused = refusalOf(error) // that the container cannot start is what is wrong with its layers
        if (!refused) throw error
      }
    },
    checks: [
      {
        id: 'three-layers',
        claim: 'a container of an image of three layers has them all, the topmost first',
        look() {
          if (refused)
            return finding(false, seen('the container', null, 'did not start'), notStarted(refused))
          const stack = directories(rootMount(pid), 'lowerdir')
          return finding(
            stack.join('\n') === wanted.join('\n') && said === `${NAMES[0]}, ${NAMES[1]}`,
            [
              ...wanted.map((dir, i) => seen('its lowerdir', dir, stack[i] ?? 'none')),
              seen('cat /etc/top /etc/base', null, said),
            ],
            stack.length < wanted.length
              ? `Only ${stack.length} of the ${wanted.length} layers are in lowerdir: all that the others have is missing.`
              : 'The layers are in another order: lowerdir has the topmost first, and what lies above hides what is below.',
          )
        },
      },
    ],
  }
}

const notStarted = ({ message, cause }: Refusal) =>
  message.startsWith('mount("overlay"')
    ? `The overlay was refused: ${cause || message}. A comma ends an option, and a colon a path: those that belong to a name need a backslash.`
    : `Its root lacks what the image has: not all layers are in lowerdir. ${message}.`

/** A layer in a folder of this name, with a file of its own, and one that both have. */
function layer(lab: Lab<Stack>, name: string): string {
  const dir = lab.folder(name)
  mkdirSync(join(dir, 'etc'))
  writeFileSync(join(dir, 'etc/top'), `${name}\n`)
  if (name !== NAMES[0]) writeFileSync(join(dir, 'etc/base'), `${name}\n`)
  return dir
}

/** All kinds of change: appended to, mode only, deleted, a file become a directory, added, a dangling link, made anew. */
const SCRIPT = [
  'echo VARIANT=changed >> /etc/os-release',
  'chmod 600 /etc/passwd',
  'rm /etc/group',
  'rm /etc/nsswitch.conf && mkdir /etc/nsswitch.conf && echo 1 > /etc/nsswitch.conf/1',
  'mkdir -p /root/a/b && echo 1 > /root/a/b/c',
  'ln -s nowhere /root/link',
  'rm -r /var && mkdir /var && echo mine > /var/new',
]

/** A container that has changed a lot, and what the learner's functions read in its upper directory. */
export function readUpper(changes: Changes, tarNames: TarNames): Stage<Stack>[] {
  let changer: Layered | undefined
  let listed: unknown
  let image = ''
  let names: { ours: string[]; theirs: string[]; wrong: string } = { ours: [], theirs: [], wrong: '' }
  return [
    {
      title: 'What a container has changed',
      act: async lab => {
        keepsXattrs(lab)
        const { pid, shell, container } = await lab.another('a container that changes a lot', {})
        changer = { pid, shell, folder: container.layers?.folder ?? '' }
        image = lab.scene.lower[0] ?? ''
        for (const command of SCRIPT) await shell.run(command)
        listed = changes(upperOf(changer), image)
      },
      checks: [changesCheck(() => ({ pid: changer?.pid ?? 0, upper: upperOf(changer!), image, listed }))],
    },
    {
      title: 'Its layer as a tar',
      act: async lab => {
        keepsXattrs(lab)
        if (!changer) return
        const upper = upperOf(changer)
        const tar = join(lab.folder('packed'), 'layer.tar')
        await packLayer(upper, tar, { overlay: true })
        const theirs = (await entriesOfTar(tar)).map(({ name }) => bare(name)).filter(name => name !== '.')
        const given = treeDigest(upper)
          .entries.filter(({ path }) => path)
          .map(({ path }) => ({ path, names: tarNames(upper, path) }))
        const wrong = given.find(({ names }) => !isList(names))
        const ours = given.flatMap(({ names }) => (isList(names) ? names : [])).map(bare)
        names = { ours, theirs, wrong: wrong ? `For ${wrong.path} it returned ${String(wrong.names)}.` : '' }
      },
      checks: [namesCheck(() => names)],
    },
  ]
}

const isList = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every(v => typeof v === 'string')
const bare = (name: string) => name.replace(/\/$/, '')
const without = (some: readonly string[], others: readonly string[]) =>
  some.filter(one => !others.includes(one))

interface Listed {
  pid: number
  upper: string
  image: string
  listed: unknown
}

function changesCheck(of: () => Listed): Check<Stack> {
  return {
    id: 'changes-listed',
    claim: 'what `changes` lists is what differs between the container’s files and the image’s',
    look() {
      const { pid, upper, image, listed } = of()
      const wanted = differences(image, `/proc/${pid}/root`, changedFolders(pid, upper))
      if (!isList(listed))
        return finding(
          false,
          seen('changes(upper, image)', null, String(listed)),
          'It has to return a list of texts.',
        )
      const [lacking, more] = [without(wanted, listed), without(listed, wanted)]
      return finding(
        lacking.length + more.length === 0 && listed.length === wanted.length,
        [
          seen(`the image, and /proc/${pid}/root`, null, wanted.join(', ')),
          seen('changes(upper, image)', null, listed.join(', ') || 'nothing'),
        ],
        () =>
          listed.length
            ? `${diff(lacking, more)} ${whyChanges(lacking, more, upper, image)}`
            : 'It lists nothing.',
      )
    },
  }
}

function namesCheck(of: () => { ours: string[]; theirs: string[]; wrong: string }): Check<Stack> {
  return {
    id: 'names-in-tar',
    claim: 'by the names of `tarNames`, the layer’s tar has just these entries',
    look() {
      const { ours, theirs, wrong } = of()
      const [lacking, more] = [without(theirs, ours), without(ours, theirs)]
      return finding(
        wrong === '' && theirs.length > 0 && lacking.length + more.length === 0,
        [
          seen('the entries of layer.tar', theirs.join(', '), null),
          seen('tarNames of each in upper', ours.join(', ') || 'none', null),
        ],
        () =>
          wrong || (ours.length ? `${diff(lacking, more)} ${whyNames(lacking, more)}` : 'It names nothing.'),
      )
    },
  }
}

const few = (lines: string[]) =>
  lines.slice(0, 5).join(', ') + (lines.length > 5 ? ` and ${lines.length - 5} more` : '')

const diff = (lacking: string[], more: string[]) =>
  [
    lacking.length && `Missing: ${few(lacking)}.`,
    more.length && `Too much: ${few(more)}.`,
    !lacking.length && !more.length && 'Something is in it twice.',
  ]
    .filter(Boolean)
    .join(' ')

/** The directories of the image's top in which a container has changed something, and on which nothing is mounted. */
function changedFolders(pid: number, upper: string): string[] {
  const mounted = mountinfo(pid).map(({ target }) => target)
  return treeDigest(upper)
    .entries.filter(({ path, type }) => path && !path.includes('/') && type === 'directory')
    .map(({ path }) => path)
    .filter(path => !mounted.includes(`/${path}`))
}

/** What differs between two trees, as `docker diff` writes it: read from what can be seen, and not from an upper directory. */
function differences(image: string, root: string, folders: readonly string[]): string[] {
  const [before, after] = [image, root].map(tree => filesOf(tree, folders)) as [Files, Files]
  const found: string[] = []
  for (const [path, entry] of after) {
    const old = before.get(path)
    if (!old) found.push(`A /${path}`)
    else if (
      entry.type !== old.type ||
      (entry.type !== 'directory' && JSON.stringify(entry) !== JSON.stringify(old))
    )
      found.push(`C /${path}`)
  }
  for (const path of before.keys())
    if (!after.has(path) && after.get(path.replace(/\/[^/]*$/, ''))?.type === 'directory')
      found.push(`D /${path}`)
  return found
}

type Files = Map<string, Omit<TreeEntry, 'path'>>

function filesOf(tree: string, folders: readonly string[]): Files {
  return new Map(
    folders.flatMap(folder =>
      treeDigest(join(tree, folder)).entries.map(({ path, ...rest }) => [join(folder, path), rest] as const),
    ),
  )
}

function whyChanges(
  lacking: readonly string[],
  more: readonly string[],
  upper: string,
  image: string,
): string {
  const entries = treeDigest(upper).entries
  const of = (line = '') => entries.find(({ path }) => `/${path}` === line.slice(2))
  const whiteout = more.find(line => of(line)?.rdev === '0:0' && !line.startsWith('D'))
  if (whiteout)
    return `${of(whiteout)?.path} is a whiteout: a character device 0:0 says that this name was deleted.`
  const hidden = lacking.find(line => line.startsWith('D') && !of(line))
  const folder = entries.find(({ path, opaque }) => opaque && hidden?.startsWith(`D /${path}/`))
  if (folder) return `${folder.path} is opaque: nothing that the image has in it can be seen any more.`
  if (lacking.some(line => line.startsWith('D'))) return 'A character device 0:0 in upper is a deletion.'
  const shared = more.find(
    line => of(line)?.type === 'directory' && filesOf(image, ['']).get(line.slice(3))?.type === 'directory',
  )
  if (shared) return `${of(shared)?.path} is a directory that the image has, too: the two are merged.`
  const swapped = lacking.find(line => more.some(other => other.slice(2) === line.slice(2)))
  if (swapped?.startsWith('C')) return `The image has ${swapped.slice(3)} as well: it was changed, not added.`
  if (swapped?.startsWith('A')) return `The image has no ${swapped.slice(3)}: it was added.`
  if (lacking.some(line => line.startsWith('A'))) return 'What is in an added directory is added, too.'
  return ''
}

function whyNames(lacking: readonly string[], more: readonly string[]): string {
  const mark = lacking.find(name => name.endsWith('/.wh..wh..opq'))
  if (mark)
    return `${mark.replace(/\/[^/]*$/, '')} is opaque: an empty file .wh..wh..opq in it says so, beside the directory itself.`
  const whiteout = lacking.find(name => /(^|\/)\.wh\.[^/]*$/.test(name))
  if (whiteout)
    return 'A tar has no whiteouts: an empty file says it, in the same directory, named .wh. and the name that is deleted.'
  if (lacking.length) return 'What was added or changed has its own name.'
  return more.length ? 'These are in no layer.' : ''
}
