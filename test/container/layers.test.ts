import { lstatSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { defaultSpec } from '../../lib/container/default-spec.ts'
import { layers } from '../../lib/container/parts/layers.ts'
import { Ledger } from '../../lib/container/ledger/ledger.ts'
import { namespaces } from '../../lib/container/parts/namespaces.ts'
import type { Plan } from '../../lib/container/part.ts'
import { program } from '../../lib/container/parts/process.ts'
import type { NamespaceType } from '../../lib/container/spec.ts'
import { nothingMade, recordParts, startParts } from '../../lib/container/start.ts'
import { readXattrs } from '../../lib/image/xattr.ts'
import { Gate } from '../../lib/kernel/tape/gate.ts'
import { mountinfo } from '../../lib/kernel/mount/mountinfo.ts'
import { isRoot, userFolder } from '../support/minilab.ts'

const NAMES = [
  'plain',
  'co:lon',
  'com,ma',
  'back\\slash',
  'blank and ünicode',
  '\\:,\\\\,:=',
  'lowerdir=x,ro',
]

/** Two lower layers below `folder`, each with a file of its own and one of the same name. */
function lowerLayers(folder: string): string[] {
  return ['top', 'bottom'].map(name => {
    const dir = join(folder, name)
    mkdirSync(join(dir, 'dir'), { recursive: true })
    for (const file of [name, 'both', `dir/${name}`]) writeFileSync(join(dir, file), `from ${name}\n`)
    return dir
  })
}

/** A container with layers on the host's own root: a shell script that runs in the merged directory. */
function container(folder: string, script: string, kinds: NamespaceType[] = ['user', 'mount']): Plan {
  const own = join(folder, 'own')
  const rootfs = join(own, 'merged')
  const spec = defaultSpec('/', ['/bin/sh', '-ec', `cd "$1"; ${script}`, 'sh', rootfs], !isRoot)
  spec.linux.namespaces = kinds.map(type => ({ type }))
  const ledger = new Ledger(join(folder, 'data'))
  onTestFinished(async () => void (await ledger.settle()))
  const id = 'layers-test'
  return { id, spec, rootfs, layers: { lower: lowerLayers(folder), folder: own }, ledger, diesWithUs: true }
}

async function run(plan: Plan): Promise<void> {
  const { child } = await startParts([namespaces, layers, program], plan)
  expect(await child.exit).toEqual({ status: 0, signal: null })
}

describe('the overlay is what was asked for, whatever the paths are called', () => {
  test.each(NAMES)('%j', async name => {
    const folder = join(userFolder(), name)
    await run(container(folder, 'cat both top bottom dir/* > seen'))
    expect(readFileSync(join(folder, 'own/upper/seen'), 'utf8')).toBe(
      'from top\nfrom top\nfrom bottom\nfrom bottom\nfrom top\n',
    )
    expect(readdirSync(join(folder, 'own/upper'))).toEqual(['seen'])
    expect(readdirSync(join(folder, 'top')).sort()).toEqual(['both', 'dir', 'top'])
    // the mount was the container's alone
    expect(readdirSync(join(folder, 'own/merged'))).toEqual([])
    expect(mountinfo().filter(m => m.target.startsWith(folder))).toEqual([])
  })
})

test('its folder is closed to others, its root is not, whatever the umask', async () => {
  const before = process.umask(0o077)
  onTestFinished(() => void process.umask(before))
  const folder = userFolder()
  await run(container(folder, 'ls -ld . > seen'))
  const mode = (path: string) => (statSync(path).mode & 0o7777).toString(8)
  expect(mode(join(folder, 'own'))).toBe('700')
  expect(mode(join(folder, 'own/upper'))).toBe('755')
  expect(readFileSync(join(folder, 'own/upper/seen'), 'utf8')).toMatch(/^drwxr-xr-x/)
})

test('the ledger takes the folder back, also what overlay has locked', async () => {
  const folder = userFolder()
  const made = container(folder, 'mkdir -m 0 shut; rm both')
  await run(made)
  // overlay's own scratch directory, and one that the container has made: nobody but root can look into them
  for (const path of ['own/work/work', 'own/upper/shut'])
    expect(lstatSync(join(folder, path)).mode & 0o777).toBe(0)
  expect(await made.ledger.settle()).toEqual([`folder ${join(folder, 'own')}`])
  expect(readdirSync(folder).sort()).toEqual(['bottom', 'data', 'top'])
})

test('without a user namespace too, upper is a layer by itself', async context => {
  context.skip(!isRoot, 'a mount namespace alone needs root')
  const folder = userFolder()
  // with redirect_dir=on the new directory would only say where the old one lies
  await run(container(folder, 'mv dir moved; chmod 600 top', ['mount']))
  const upper = join(folder, 'own/upper')
  expect(readdirSync(join(upper, 'moved')).sort()).toEqual(['bottom', 'top'])
  for (const path of ['moved', 'top'])
    expect([...readXattrs(join(upper, path)).keys()].filter(n => /redirect|metacopy/.test(n))).toEqual([])
  expect(readFileSync(join(upper, 'top'), 'utf8')).toBe('from top\n')
})

test('more layers than a mount can take are a usage error, not a stack cut short', () => {
  const made = container(userFolder(), ':')
  made.layers!.lower = Array.from({ length: 200 }, (_, i) => `/var/lib/minilab/layers/${i}/diff`)
  const gate = new Gate()
  onTestFinished(() => gate.close())
  const record = () => recordParts([layers], nothingMade(made), gate)
  expect(record).toThrow(expect.objectContaining({ kind: 'usage' }))
  expect(record).toThrow(/200 layers/)
})
