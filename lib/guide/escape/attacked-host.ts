import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  constants,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { openSlave } from '../../container/streams/our-terminal.ts'
import { findProgram } from '../../container/net/rule-tool.ts'
import { readImage } from '../../image/image.ts'
import { layerDir } from '../../image/layer-store.ts'
import { makeTree, type Plan } from '../../image/plan.ts'
import { planLibraries } from '../../image/programs.ts'
import { DEFAULT_IMAGE } from '../../image/default.ts'
import { AT_FDCWD, O_CLOEXEC, O_NOCTTY, O_RDWR, TIOCSCTTY } from '../../kernel/syscalls/constants.ts'
import { now } from '../../kernel/syscalls/now.ts'
import { attachLoop, type LoopDevice } from './loop.ts'
import { randomHex } from '../../kernel/process/random.ts'

/**
 * The sandbox on whose containers all attacks are made. It has its own processes, mounts, links and names. Below, "the host"
 * is this sandbox; the machine around it is out of reach, whatever gets through.
 */
export interface AttackedHost {
  rootless: boolean
  /** what stands in the host's secret file, and on its disk: who knows it has got through */
  token: string
  secret: string
  /** where containers that share the host's files may make something */
  scratch: string
  /** the tree that all containers share as their image: a copy */
  image: string
  /** the host's disk, a small file behind a loop device; or why there is none */
  disk: LoopDevice | string
}

/** A tmpfs of the host's own lies over it: every machine has this folder, and everyone may look into it. */
const HOME = '/dev/shm'

/** Furnishes it: to be called in it, before anything asynchronous. Data goes to its own folder from then on. */
export function makeAttackedHost(rootless: boolean): AttackedHost {
  const stored = readImage(DEFAULT_IMAGE)
  const layer = layerDir(stored?.layers[0] ?? '')
  const source = openSync(layer, constants.O_DIRECTORY) // it may lie below HOME, and be covered in a moment
  now.mount('tmpfs', HOME, 'tmpfs', 0, 'mode=755,size=256m')
  process.env.MINILAB_DATA = join(HOME, 'data')
  const host: AttackedHost = {
    rootless,
    token: randomHex(8),
    secret: join(HOME, 'host/secret'),
    scratch: join(HOME, 'tmp'),
    image: layerDir(stored?.layers[0] ?? ''),
    disk: 'a user namespace gets no disk at all',
  }
  for (const folder of ['host', 'tmp', 'data/images/default', 'data/containers', 'data/ledger'])
    mkdirSync(join(HOME, folder), { recursive: true })
  chmodSync(host.scratch, 0o1777)
  writeFileSync(host.secret, host.token, { mode: 0o644 })
  copyImage(`/proc/self/fd/${source}`, host.image)
  closeSync(source)
  writeFileSync(join(host.image, '../layer.json'), '{}')
  writeFileSync(join(HOME, 'data/images/default/image.json'), JSON.stringify(stored))
  if (!rootless) host.disk = makeDisk(host)
  return host
}

/** The image, so that no attack can touch the real one; and what our own program needs to run in it. */
function copyImage(source: string, image: string): void {
  mkdirSync(image, { recursive: true })
  for (const name of readdirSync(source))
    cpSync(join(source, name), join(image, name), { recursive: true, verbatimSymlinks: true })
  const plan: Plan = new Map()
  planLibraries(plan, process.execPath)
  for (const path of plan.keys())
    if (lstatSync(join(image, path), { throwIfNoEntry: false })) plan.delete(path)
  makeTree(plan, image)
}

const SIZE = 2 ** 20 // bytes: the least that mke2fs makes an ext4 of

/** A disk with the token on it, in a file `secret`. */
function makeDisk({ token }: AttackedHost): LoopDevice | string {
  const mkfs = findProgram('mkfs.ext4')
  if (!mkfs) return 'mkfs.ext4, which makes the disk, is not installed: sudo apt-get install e2fsprogs'
  if (!existsSync('/dev/loop-control')) return 'this kernel has no loop devices: sudo modprobe loop'
  const content = join(HOME, 'disk')
  const file = join(HOME, 'disk.ext4')
  mkdirSync(content)
  writeFileSync(join(content, 'secret'), token)
  writeFileSync(file, '')
  truncateSync(file, SIZE)
  execFileSync(mkfs, ['-q', '-F', '-O', '^has_journal', '-d', content, file])
  return attachLoop(file)
}

/** A session has a terminal once its leader has taken one: ours, as that of a user's shell which starts a container. */
export function takeTerminal(): void {
  const master = now.openat(AT_FDCWD, '/dev/ptmx', O_RDWR | O_NOCTTY | O_CLOEXEC, 0)
  now.ioctl(openSlave(master), TIOCSCTTY, 0)
}
