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
 * The sandbox in which all attacks run. It has its own processes, mounts, links and names. In this folder "the host" is this
 * sandbox; the real machine is out of reach, whichever attack succeeds.
 */
export interface AttackedHost {
  rootless: boolean
  /** the content of the host's secret file, and of its disk: an attack that reads it has succeeded */
  token: string
  secret: string
  /** a directory where containers that share the host's files may make files */
  scratch: string
  /** a copy of the image, which all containers share */
  image: string
  /** the host's disk, a small file behind a loop device; or the reason why there is none */
  disk: LoopDevice | string
}

/** Every machine has this folder, and every user may read it. The sandbox mounts its own tmpfs over it. */
const HOME = '/dev/shm'

/** Prepares the sandbox. Call it inside, before anything asynchronous: it also changes the data folder. */
export function makeAttackedHost(rootless: boolean): AttackedHost {
  const stored = readImage(DEFAULT_IMAGE)
  const layer = layerDir(stored?.layers[0] ?? '')
  const source = openSync(layer, constants.O_DIRECTORY) // opened first: it may be below HOME, which is about to be covered
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

/** Copies the image, so that no attack can touch the real one, and the program that an attack runs in it. */
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

const DISK_SIZE = 2 ** 20 // bytes: the smallest ext4 that mke2fs makes

/** Makes a disk that has the token in a file `secret`; or returns why it cannot. */
function makeDisk({ token }: AttackedHost): LoopDevice | string {
  const mkfs = findProgram('mkfs.ext4')
  if (!mkfs) return 'mkfs.ext4, which makes the disk, is not installed: sudo apt-get install e2fsprogs'
  if (!existsSync('/dev/loop-control')) return 'this kernel has no loop devices: sudo modprobe loop'
  const content = join(HOME, 'disk')
  const file = join(HOME, 'disk.ext4')
  mkdirSync(content)
  writeFileSync(join(content, 'secret'), token)
  writeFileSync(file, '')
  truncateSync(file, DISK_SIZE)
  execFileSync(mkfs, ['-q', '-F', '-O', '^has_journal', '-d', content, file])
  return attachLoop(file)
}

/** Gives our session a controlling terminal, like that of a user's shell that starts a container. */
export function takeTerminal(): void {
  const master = now.openat(AT_FDCWD, '/dev/ptmx', O_RDWR | O_NOCTTY | O_CLOEXEC, 0)
  now.ioctl(openSlave(master), TIOCSCTTY, 0)
}
