import { join } from 'node:path'
import { layers, overlayRefused } from '../../lib/container/parts/layers.ts'
import { limits } from '../../lib/container/parts/limits.ts'
import { namespaces } from '../../lib/container/parts/namespaces.ts'
import { program } from '../../lib/container/parts/process.ts'
import { root } from '../../lib/container/parts/root.ts'
import { chapter } from '../../lib/guide/chapters.ts'
import { onImageLayers } from '../../lib/guide/image-layers.ts'
import type { Box } from '../../lib/guide/box.ts'
import type { Experiment } from '../../lib/guide/experiment.ts'
import type { Shell, Step } from '../../lib/guide/step.ts'
import { packLayer, unpackLayer } from '../../lib/image/layer.ts'
import { findImage } from '../../lib/image/store.ts'
import { treeDigest } from '../../lib/image/tree-digest.ts'
import { writeXattr } from '../../lib/image/xattr.ts'
import { SyscallError } from '../../lib/kernel/syscalls/syscall-error.ts'
import { checks } from './checks.ts'

/** A container for the checks: its first process, a shell in it, and its layer's folder on the host. */
export interface Layered {
  pid: number
  shell: Shell
  /** the directory that holds its upper, work and merged directories */
  folder: string
}

/** The directories under the containers, and what was done in them. */
export interface Stack {
  /** the image's layers, topmost first, and the digest of each before anything ran */
  lower: string[]
  before: string[]
  /** the step's own container, and where its overlay is mounted */
  folder: string
  rootfs: string
  /** what it was told to write or delete, as paths below "/" */
  touched: string[]
  second?: Layered
  /** what the second one was told to write */
  touchedBySecond: string[]
  /** the first container's layer as a tar, the tree unpacked from that, and a container on top of it */
  tar: string
  unpacked: string
  third?: Layered
}

export const step: Step<Stack> = {
  ...chapter('layers'),
  parts: [namespaces, layers, root, limits, program],
  teaches: ['layers'],
  scene: () => ({
    lower: [],
    before: [],
    folder: '',
    rootfs: '',
    touched: [],
    touchedBySecond: [],
    tar: '',
    unpacked: '',
  }),
  plan: onImageLayers,

  stages: [
    {
      title: 'A stack of directories',
      manual: ['mount(2)', 'linux/Documentation/filesystems/overlayfs.rst'],
      source: { file: 'lib/container/parts/layers.ts', symbol: 'layers' },
      async act(experiment) {
        try {
          await beginStack(experiment)
          showOptions(experiment)
        } catch (error) {
          throw overlayRefused(error) ?? error
        }
      },
      checks: [checks.overlay, checks.hidden, checks.empty],
    },
    {
      title: 'Copy-up: writing to what is only read',
      manual: ['linux/Documentation/filesystems/overlayfs.rst'],
      predict: {
        question:
          'The container appends one line to a file of the image. What is in its own layer afterwards?',
        choices: ['nothing: the image was changed', 'only the line', 'the whole file, with the line'],
        answer: checks.copyUp.what,
        why: 'Overlay stacks whole files. At the first open for writing it copies the file up, with owner, mode and times, and the copy hides the original. Copying a large file takes long, so a database belongs in a volume and not in a layer.',
      },
      act: async experiment => {
        await tell(experiment, experiment.scene, 'echo VARIANT_ID=container >> /etc/os-release')
        experiment.scene.touched.push('etc/os-release')
      },
      checks: [checks.copyUp, checks.original],
    },
    {
      title: 'Whiteout: deleting what cannot be deleted',
      manual: ['mknod(2)', 'linux/Documentation/filesystems/overlayfs.rst'],
      predict: {
        question: 'rm /etc/group succeeds. What is at etc/group in the upper directory afterwards?',
        choices: ['nothing', 'an empty file', 'a character device'],
        answer: checks.whiteout.what,
        why: 'The mark is a character device with the numbers 0:0, which no driver has. It holds no data, and the layer below loses nothing.',
      },
      act: async experiment => {
        await tell(experiment, experiment.scene, 'rm /etc/group')
        experiment.scene.touched.push('etc/group')
      },
      checks: [checks.whiteout],
    },
    {
      title: 'Opaque: a recreated directory',
      manual: ['xattr(7)', 'linux/Documentation/filesystems/overlayfs.rst'],
      act: async experiment => {
        keepsXattrs(experiment)
        await tell(experiment, experiment.scene, 'rm -r /var && mkdir /var && echo mine > /var/new')
        experiment.scene.touched.push('var', 'var/new')
      },
      checks: [checks.opaque],
    },
    {
      title: 'Two containers on the same layers',
      manual: ['linux/Documentation/filesystems/overlayfs.rst'],
      source: { file: 'lib/guide/image-layers.ts', symbol: 'onImageLayers' },
      predict: {
        question: 'Once the second container runs, how many files of the image has it copied?',
        choices: ['all', 'those that it runs', 'none'],
        answer: checks.nothingCopied.what,
        why: 'Reading and executing use the lower file directly; only a write makes a copy. So a container starts in milliseconds, whatever the size of its image, and a hundred containers need the disk space and the page cache of one.',
      },
      act: async experiment => {
        const second = layered(await experiment.another('a second container on the same layers', {}))
        experiment.scene.second = second
        await tell(experiment, experiment.scene, 'echo 1 > /root/from-the-first', 'first')
        experiment.scene.touched.push('root/from-the-first')
        await tell(experiment, second, 'echo 2 > /root/from-the-second', 'second')
        experiment.scene.touchedBySecond.push('root/from-the-second')
      },
      checks: [checks.shared, checks.nothingCopied, checks.unseen, checks.ownUpper, checks.untouched],
    },
    {
      title: 'A layer is a tar',
      manual: ['tar(1)', 'inode(7)'],
      source: { file: 'lib/image/pack.ts', symbol: 'packLayer' },
      act: experiment => throughTar(experiment),
      checks: [checks.tar, checks.sameTree, checks.sameView],
    },
  ],

  recap:
    'You have containers that share one image and cannot harm it. The kernel reads below and writes above, and a deletion is a mark. All that a container has done is in one directory, which you can throw away or pack as the next layer. But no one can reach these containers: their network namespace is empty.',
  next: '`minilab step 6` connects them.',
}

/** Starts the step's own container, after noting the state of the image. */
export async function beginStack(experiment: Experiment<Stack>): Promise<void> {
  // a mutant may have chosen a copy of the image
  if (experiment.scene.lower.length === 0)
    experiment.scene.lower = (await findImage('default')).layers.toReversed()
  experiment.scene.before = experiment.scene.lower.map(dir => treeDigest(dir).hash)
  const box = await experiment.begin()
  experiment.scene.folder = layered(box).folder
  experiment.scene.rootfs = box.container.rootfs
}

const layered = ({ pid, shell, container }: Box): Layered => ({
  pid,
  shell,
  folder: container.layers?.folder ?? '',
})

/** The options of the overlay's mount call, one per line: the printed tape has no room for them. */
function showOptions(experiment: Experiment<Stack>): void {
  const { args = '' } = experiment.tape.find(({ args }) => args.startsWith('"overlay"')) ?? {}
  const [, options] = /"(lowerdir=.*)"/.exec(args) ?? []
  if (options === undefined) return
  experiment.note('The options of the mount, in full:')
  for (const option of options.split(/(?<!\\),/)) experiment.line(`        ${option}`)
  experiment.line()
}

/** How a layer goes through a tar; a mutant can replace each function. */
interface Way {
  pack(upper: string, tar: string): Promise<unknown>
  unpack(tar: string, dir: string): Promise<unknown>
  /** the lower directories of a container on top of it, topmost first */
  stack(lower: string[], layer: string): string[]
}
const RIGHT: Way = {
  pack: (upper, tar) => packLayer(upper, tar, { overlay: true }),
  unpack: (tar, dir) => unpackLayer(tar, dir, { overlay: true }),
  stack: (lower, layer) => [layer, ...lower],
}

/** Packs the first container's layer, unpacks it elsewhere, and starts a third container on top of it. */
export async function throughTar(experiment: Experiment<Stack>, changed: Partial<Way> = {}): Promise<void> {
  const { pack, unpack, stack } = { ...RIGHT, ...changed }
  const { scene } = experiment
  const folder = experiment.folder('layer')
  scene.tar = join(folder, 'layer.tar')
  scene.unpacked = join(folder, 'unpacked')
  await pack(join(scene.folder, 'upper'), scene.tar)
  await unpack(scene.tar, scene.unpacked)
  const box = await experiment.another('a third container, on the packed layer and the image', {
    change({ layers }) {
      if (layers) layers.lower = stack(layers.lower, scene.unpacked)
    },
  })
  scene.third = layered(box)
}

/** Runs a command in a container's shell, and shows the command. */
async function tell(
  experiment: Experiment<Stack>,
  { shell }: { shell: Shell },
  command: string,
  who = '',
): Promise<void> {
  experiment.line(`      ${who && who + ' container '}# ${command}`)
  const { output } = await shell.run(command)
  experiment.line(output && `      ${output}`)
}

/** Limits the stage on opaque directories if the data folder's file system cannot store user.* attributes. */
export function keepsXattrs(experiment: Experiment<Stack>): void {
  const { folder } = experiment.scene
  try {
    writeXattr(folder, 'user.minilab', Buffer.from('?'))
  } catch (error) {
    if (!(error instanceof SyscallError) || error.code !== 'EOPNOTSUPP') throw error
    experiment.limit(
      `the file system of ${experiment.ledger.dataFolder} keeps no user.* attributes, so overlay cannot mark a directory opaque`,
      'set MINILAB_DATA to a folder on ext4, xfs or btrfs, or on a tmpfs of Linux 6.6 or later',
    )
  }
}
