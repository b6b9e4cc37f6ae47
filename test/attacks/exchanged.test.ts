import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { defaultSpec } from '../../lib/container/default-spec.ts'
import { Ledger } from '../../lib/container/ledger/ledger.ts'
import { namespaces } from '../../lib/container/parts/namespaces.ts'
import { program } from '../../lib/container/parts/process.ts'
import { root } from '../../lib/container/parts/root.ts'
import { startParts } from '../../lib/container/start.ts'
import { type Mount, mountinfo } from '../../lib/kernel/mount/mountinfo.ts'
import { isKind } from '../../lib/common/errors.ts'
import { SyscallError } from '../../lib/kernel/syscalls/syscall-error.ts'
import { isRoot, userData, userFolder } from '../support/minilab.ts'

const STARTS = 100

/** What another process does that may write to the image: a directory and a link to another change places, as fast as it can. */
const EXCHANGE = `
  const { mkdirSync, renameSync, rmdirSync, symlinkSync } = require('node:fs')
  process.chdir(process.argv[1])
  const names = ['proc', 'sys', 'dev']
  for (const name of names) mkdirSync('other-' + name), symlinkSync('/other-' + name, 'link-' + name)
  console.log('ready')
  const rename = (from, to) => {
    try {
      renameSync(from, to)
    } catch { // the container has made a directory there meanwhile
      rmdirSync(to)
      rename(from, to)
    }
  }
  for (;;)
    for (const name of names) {
      rename(name, 'real-' + name), rename('link-' + name, name)
      rename(name, 'link-' + name), rename('real-' + name, name)
    }
`

/** The masked and read-only paths of the host that a mount of the kernel's file systems shows without a cover. */
function uncovered(mounts: Mount[]): string[] {
  const spec = defaultSpec('/', [], !isRoot).linux
  const covered = [...spec.maskedPaths!, ...spec.readonlyPaths!].filter(path => existsSync(path))
  const trees = { proc: '/proc/', sysfs: '/sys/' }
  return mounts.flatMap(({ id, type, root: shown, target }) => {
    const tree = trees[type as keyof typeof trees]
    if (!tree || shown !== '/') return []
    return (
      covered
        .filter(path => path.startsWith(tree))
        .map(path => path.slice(tree.length - 1))
        // the kernel prints a line at a time, and the directory may have another name for each
        .filter(path => !mounts.some(mount => mount.parent === id && mount.target.endsWith(path)))
        .map(path => `${target}${path}`)
    )
  })
}

// SECURITY: CVE-2021-30465, CVE-2025-31133 and their kind. Each start is one try; the kernel decides which of them meets the exchange.
test(
  `an image that is exchanged while a container starts uncovers nothing`,
  { timeout: 120_000 },
  async () => {
    const folder = userFolder()
    const image = join(folder, 'image')
    const [layer = ''] = readdirSync(join(userData('root'), 'layers'))
    cpSync(join(userData('root'), 'layers', layer, 'diff'), image, {
      recursive: true,
      verbatimSymlinks: true,
    })
    for (const name of ['proc', 'sys', 'dev']) mkdirSync(join(image, name), { recursive: true })
    const other = spawn(process.execPath, ['-e', EXCHANGE, image], { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = once(other, 'exit')
    onTestFinished(async () => void (other.kill('SIGKILL'), await ended))
    await once(other.stdout, 'data')

    const ledger = new Ledger(join(folder, 'data'))
    onTestFinished(async () => void (await ledger.settle()))
    const [seen, refused] = [[] as string[], [] as SyscallError[]]
    for (let i = 0; i < STARTS; i++) {
      const spec = defaultSpec(image, ['/bin/sleep', '1000'], !isRoot)
      const container = { id: `exchanged-${i}`, spec, rootfs: image, ledger, diesWithUs: true }
      try {
        const { child } = await startParts([namespaces, root, program], container)
        seen.push(...uncovered(mountinfo(child.pid)))
        child.kill('SIGKILL')
        await child.exit
      } catch (error) {
        const refusal = isKind(error, 'usage') ? error.cause : error
        if (!(refusal instanceof SyscallError)) throw error
        refused.push(refusal)
      }
    }
    expect(seen).toEqual([])
    expect(refused.length, refused[0]?.message).toBeLessThan(STARTS)
    expect(
      new Set(refused.map(({ call }) => call)).isSubsetOf(
        new Set(['mkdirat', 'openat2', 'move_mount', 'execve']),
      ),
    ).toBe(true)
  },
)
