import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { unpackLayer } from '../../lib/image/layer.ts'
import { treeDigest } from '../../lib/image/tree-digest.ts'
import { removeTree } from '../../lib/image/tree.ts'
import { snapshot } from '../support/canary.ts'
import { Seeded } from '../support/seeded.ts'
import { folder, me, shell, type TarEntry, writeTar } from '../image/support.ts'

const ROUNDS = 200
const NAMES = ['a', 'b', 'c', 'dir', 'link', 'file', 'bin', 'etc']
const STRANGE = [
  '.',
  '..',
  '...',
  ' ',
  '.wh.a',
  '.wh.link',
  '.wh..wh..opq',
  '.wh.',
  '.wh...',
  'ü',
  'x'.repeat(255),
  '-',
]
const TYPES = [
  'file',
  'file',
  'file',
  'directory',
  'directory',
  'symlink',
  'symlink',
  'symlink',
  'link',
  'link',
] as const
const RARE = ['link', 'link', 'fifo', 'character-device', 'block-device', 'contiguous-file'] as const

/** A name that may climb, start at "/", name the canary, pass through links, or be no name at all. */
function name(random: Seeded, outside: string): string {
  const parts = Array.from({ length: 1 + random.below(4) }, () =>
    random.pick(random.chance(12) ? STRANGE : random.chance(12) ? ['..'] : NAMES),
  )
  const start = random.pick([
    '',
    '',
    '',
    '',
    './',
    '/',
    '../',
    '../../',
    '../outside/',
    `${outside}/`,
    '/proc/self/',
  ])
  return start + parts.join(random.chance(5) ? '//' : '/')
}

const target = (random: Seeded, outside: string) =>
  random.chance(40)
    ? random.pick([
        outside,
        `${outside}/dir`,
        '../outside',
        '../../outside',
        '../'.repeat(30) + outside,
        '/',
        '.',
        '..',
      ])
    : random.chance(15)
      ? random.pick([
          '/proc/self/root',
          '/proc/self/fd/0',
          '/proc/self/cwd',
          `/proc/self/root${outside}`,
          '/dev/null',
        ])
      : name(random, outside)

function entry(random: Seeded, outside: string): TarEntry {
  const type = random.chance(12) ? random.pick(RARE) : random.pick(TYPES)
  const made: TarEntry = {
    name: name(random, outside),
    type,
    mode: random.pick([0, 0o644, 0o755, 0o777, 0o4755, 0o2777, 0o1777, 0o7777, 0o100644]),
    uid: random.pick([0, 0, 1000, 65534, 2097151]),
    gid: random.pick([0, 0, 1000, 65534, 2097151]),
    mtime: new Date(random.pick([0, 1e12, -1e12, 4e12])),
  }
  if (['file', 'contiguous-file'].includes(type)) made.content = 'hostile'.repeat(random.below(300))
  if (['symlink', 'link'].includes(type)) made.linkname = target(random, outside)
  if (type.endsWith('device'))
    Object.assign(made, { devmajor: random.pick([0, 1, 8, 254]), devminor: random.pick([0, 1, 3, 5]) })
  if (random.chance(10))
    made.pax = random.pick<Record<string, string>>([
      { path: name(random, outside) },
      { linkpath: target(random, outside) },
      { 'SCHILY.xattr.trusted.overlay.opaque': 'y' },
      { 'SCHILY.xattr.trusted.overlay.redirect': outside },
      { 'SCHILY.xattr.security.capability': 'no capability' },
      { 'SCHILY.xattr.user.x': 'y'.repeat(random.below(3000)) },
      { uid: '4294967295', mtime: '1e99' },
      { size: String(random.below(5000)) },
    ])
  return made
}

/** A canary that has everything a tar might change. */
function makeOutside(dir: string): string {
  const outside = join(dir, 'outside')
  mkdirSync(join(outside, 'dir/a'), { recursive: true })
  for (const file of ['file', 'a', 'dir/file', 'dir/a/b']) writeFileSync(join(outside, file), 'alive')
  symlinkSync('file', join(outside, 'link'))
  chmodSync(join(outside, 'file'), 0o600)
  if (me.uid === 0) shell(me, `chown 1000:1000 ${outside}/dir/file; mknod ${outside}/b c 1 3`)
  return outside
}

test(`${ROUNDS} tars of random entries change nothing outside, and leave a tree or a reason`, async () => {
  const dir = folder()
  const outside = makeOutside(dir)
  const before = snapshot(outside)
  const outcomes = { unpacked: 0, refused: 0 }
  for (let round = 0; round < ROUNDS; round++) {
    const random = new Seeded(20261122 + round) // MINILAB_SEED=… runs one of them again and again
    const entries = Array.from({ length: 1 + random.below(random.chance(50) ? 4 : 25) }, () =>
      entry(random, outside),
    )
    await writeTar(`${dir}/layer.tar`, entries)
    let bytes = readFileSync(`${dir}/layer.tar`)
    if (random.chance(7)) bytes = bytes.subarray(0, random.below(bytes.length))
    if (random.chance(7)) bytes[random.below(bytes.length)]! ^= 1 << random.below(8)
    writeFileSync(`${dir}/layer.tar`, random.chance(30) ? gzipSync(bytes, { level: 1 }) : bytes)

    const failed = await unpackLayer(`${dir}/layer.tar`, `${dir}/out`, { overlay: random.chance(50) }).then(
      () => undefined,
      (error: unknown) => error,
    )
    const about = {
      seed: random.seed,
      entries: entries.map(({ content, ...rest }) => ({ ...rest, size: content?.length })),
    }
    if (failed) {
      outcomes.refused++
      expect({ ...about, failed }).toMatchObject({
        failed: {
          kind: expect.stringMatching(/^(usage|machine)$/),
          message: expect.stringMatching(/^[^\n]{1,1000}$/),
          remedy: expect.stringMatching(/./),
        },
      })
    } else {
      outcomes.unpacked++
      // it can be described, and described again: nothing in it leads away, or is still being written
      const { hash } = treeDigest(`${dir}/out`)
      expect({ ...about, hash: treeDigest(`${dir}/out`).hash }).toEqual({ ...about, hash })
    }
    expect({ ...about, left: readdirSync(dir).sort() }).toEqual({
      ...about,
      left: ['layer.tar', ...(failed ? [] : ['out']), 'outside'],
    })
    expect({ ...about, outside: snapshot(outside) }).toEqual({ ...about, outside: before })
    removeTree(`${dir}/out`)
    expect({ ...about, there: existsSync(`${dir}/out`) }).toEqual({ ...about, there: false })
    expect({ ...about, outside: snapshot(outside) }).toEqual({ ...about, outside: before })
  }
  // a test of the test: both happen, and often
  expect(Math.min(outcomes.unpacked, outcomes.refused)).toBeGreaterThan(ROUNDS / 10)
}, 120_000)
