import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { overlayOptions } from '../../lib/container/parts/layers.ts'
import { changeAct, changeSpec, type Mutant } from '../../lib/guide/mutant.ts'
import { packLayer, unpackLayer } from '../../lib/image/layer.ts'
import { MS_BIND, MS_REC } from '../../lib/kernel/syscalls/constants.ts'
import { now } from '../../lib/kernel/syscalls/now.ts'
import {
  afterPrepare,
  bindOnItself,
  changeLayers,
  changeOptions,
  changeTar,
  copy,
  exchange,
  firstFolder,
  insteadOfOverlay,
  onACopy,
  STAGES,
  unmountedAtTheEnd,
  withRootInUpper,
} from './changes.ts'
import type { Stack } from './step.ts'

/** Wrong ways to build this chapter's part. */
export const mutants: Mutant<Stack>[] = [
  {
    name: 'bind-mount',
    misconception: 'the image was bind-mounted as the root, writable, without an overlay',
    breaks: {
      'overlay-root': 'without an overlay',
      'overlay-hidden': 'without an overlay',
      'copy-up': 'without an overlay',
      'original-kept': 'without an overlay',
      whiteout: 'without an overlay',
      opaque: 'without an overlay',
      'shared-lower': 'without an overlay',
      unseen: 'without an overlay',
      'writes-in-upper': 'without an overlay',
      'lower-untouched': 'without an overlay',
      'oci-whiteouts': 'without an overlay',
      'same-view': 'without an overlay',
    },
    change: step =>
      onACopy(
        insteadOfOverlay(step, (tape, { layers, rootfs }) =>
          tape.mount(layers?.lower.at(-1) ?? '', rootfs, null, MS_BIND | MS_REC, null),
        ),
      ),
  },
  {
    name: 'swapped',
    misconception: 'the image was given as upperdir, and the empty directory as lowerdir',
    breaks: {
      'overlay-root': 'swapped',
      'copy-up': 'swapped',
      'original-kept': 'swapped',
      whiteout: 'swapped',
      opaque: 'swapped',
      'shared-lower': 'swapped',
      unseen: 'swapped',
      'writes-in-upper': 'swapped',
      'lower-untouched': 'swapped',
      'oci-whiteouts': 'swapped',
      'same-view': 'swapped',
    },
    change: step => onACopy(changeOptions(step, exchange)),
  },
  {
    name: 'one-upper',
    misconception: 'all containers of an image were given the same upper directory',
    breaks: {
      'nothing-copied': 'same upper directory',
      unseen: 'same upper directory',
      'writes-in-upper': 'same upper directory',
    },
    change: step =>
      changeLayers(withRootInUpper(step), (container, experiment) => {
        const folder = firstFolder(experiment)
        container.rootfs = container.spec.root.path = join(folder, 'merged')
        return { folder }
      }),
  },
  {
    name: 'running-lower',
    misconception: 'a running container was taken for an image: its upper directory lies below the second',
    breaks: { 'shared-lower': 'taken for an image', unseen: 'taken for an image' },
    change: step =>
      changeLayers(withRootInUpper(step), ({ id, layers }, experiment) => ({
        lower: [
          ...(id.endsWith('-0') ? [] : [join(firstFolder(experiment), 'upper')]),
          ...(layers?.lower ?? []),
        ],
      })),
  },
  {
    name: 'copied',
    misconception: 'the image was copied for each container',
    breaks: { 'overlay-root': 'copied for each container', 'shared-lower': 'copied for each container' },
    change: step =>
      afterPrepare(step, ({ layers }) => {
        if (layers) layers.lower = layers.lower.map((dir, i) => copy(dir, join(layers.folder, `copy-${i}`)))
      }),
  },
  {
    name: 'copied-to-upper',
    misconception: 'the image was copied to the upper directory, so that the container can write to it',
    breaks: {
      'upper-empty': 'copied to the upper directory',
      'shared-lower': 'copied to the upper directory',
      'nothing-copied': 'copied to the upper directory',
      'writes-in-upper': 'copied to the upper directory',
      'same-view': 'copied to the upper directory',
    },
    change: step =>
      afterPrepare(step, ({ layers }) => {
        if (layers) copy(`${layers.lower.at(-1)}/.`, join(layers.folder, 'upper'))
      }),
  },
  {
    name: 'touched-at-start',
    misconception: 'a chmod at the start was thought to cost nothing',
    breaks: {
      'upper-empty': 'was touched at the start',
      'nothing-copied': 'was touched at the start',
      'writes-in-upper': 'was touched at the start',
    },
    change: step =>
      changeSpec(step, ({ process }) => {
        process.args = ['/bin/sh', '-c', 'chmod 755 /bin/sh; exec /bin/sh']
      }),
  },
  {
    name: 'mounted-on-host',
    misconception: 'the overlay was mounted on the host, before the clone',
    breaks: { 'overlay-hidden': 'mounted on the host as well' },
    change: step =>
      unmountedAtTheEnd(
        afterPrepare(insteadOfOverlay(step, bindOnItself), container =>
          now.mount('overlay', container.rootfs, 'overlay', 0, overlayOptions(container)),
        ),
      ),
  },
  {
    name: 'written-under-mount',
    misconception: 'a file for the container was put into its merged directory on the host',
    breaks: { 'overlay-hidden': 'where nothing is mounted' },
    change: step =>
      afterPrepare(step, ({ rootfs }) =>
        writeFileSync(join(rootfs, 'resolv.conf'), 'nameserver 127.0.0.1\n'),
      ),
  },
  {
    name: 'no-userxattr',
    misconception: 'an overlay was thought to need no userxattr in a user namespace',
    breaks: { opaque: 'without userxattr', 'writes-in-upper': 'without userxattr' },
    change: step => changeOptions(step, options => options.replace(',userxattr', '')),
  },
  {
    name: 'deleted-in-upper',
    misconception: 'a file of the image was deleted on the host, in the upper directory, where it never was',
    breaks: { whiteout: 'in the upper directory, where it never was' },
    change: step =>
      changeAct(step, STAGES.delete, async ({ scene }) =>
        rmSync(join(scene.folder, 'upper/etc/group'), { force: true }),
      ),
  },
  {
    name: 'made-in-upper',
    misconception: 'the new directory was made on the host, in the upper directory',
    breaks: { opaque: "made in the upper directory behind overlay's back" },
    change: step =>
      changeAct(step, STAGES.anew, async ({ scene }) => {
        mkdirSync(join(scene.folder, 'upper/var'))
        writeFileSync(join(scene.folder, 'upper/var/new'), 'mine\n')
        scene.touched.push('var/new')
      }),
  },
  {
    name: 'plain-tar',
    misconception: 'the upper directory was packed as any other, by plain tar',
    breaks: {
      'oci-whiteouts': 'packed by plain tar',
      'same-tree': 'packed by plain tar',
      'same-view': 'packed by plain tar',
    },
    change: step => changeTar(step, { pack: (upper, tar) => packLayer(upper, tar, { overlay: false }) }),
  },
  {
    name: 'plain-untar',
    misconception: 'the layer was unpacked by plain tar',
    breaks: { 'same-tree': 'unpacked by plain tar', 'same-view': 'unpacked by plain tar' },
    change: step =>
      changeTar(step, {
        async unpack(tar, dir) {
          mkdirSync(dir)
          execFileSync('tar', ['-xpf', tar, '-C', dir])
        },
      }),
  },
  {
    name: 'whiteouts-left-out',
    misconception: 'a layer was unpacked like a whole root file system, with nothing below it',
    breaks: { 'same-tree': 'left out when it was unpacked', 'same-view': 'left out when it was unpacked' },
    change: step => changeTar(step, { unpack: (tar, dir) => unpackLayer(tar, dir, { overlay: false }) }),
  },
  {
    name: 'xattrs-lost',
    misconception: 'the upper directory was copied first, without its extended attributes',
    breaks: {
      'oci-whiteouts': 'is opaque was lost',
      'same-tree': 'is opaque was lost',
      'same-view': 'is opaque was lost',
    },
    change: step =>
      changeTar(step, {
        async pack(upper, tar) {
          execFileSync('cp', ['-Rp', upper, `${tar}.d`])
          await packLayer(`${tar}.d`, tar, { overlay: true })
        },
      }),
  },
  {
    name: 'modes-lost',
    misconception: 'the layer was unpacked under a umask, without setting the modes again',
    breaks: { 'same-tree': 'Modes or owners were lost', 'same-view': 'Modes or owners were lost' },
    change: step =>
      changeTar(step, {
        async unpack(tar, dir) {
          await unpackLayer(tar, dir, { overlay: true })
          execFileSync('chmod', ['-R', 'go-rwx', dir])
        },
      }),
  },
  {
    name: 'new-layer-below',
    misconception: 'the new layer was put below the image: the order of lowerdir was taken for bottom first',
    breaks: { 'same-view': 'wrong order' },
    change: step => changeTar(step, { stack: (lower, layer) => [...lower, layer] }),
  },
]
