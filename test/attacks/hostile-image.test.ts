import { existsSync, lstatSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { unpackLayer } from '../../lib/image/layer.ts'
import { layerDir } from '../../lib/image/layer-store.ts'
import { importRootfs } from '../../lib/image/store.ts'
import { treeDigest } from '../../lib/image/tree-digest.ts'
import { removeTree } from '../../lib/image/tree.ts'
import { folder, me, ordinary, run, shell, type TarEntry, writeTar } from '../image/support.ts'
import { thorough } from '../support/minilab.ts'

/** Beside what is unpacked: a directory that no tar may reach. */
let dir: string
let outside: string
let before: string
beforeEach(() => {
  dir = folder()
  outside = join(dir, 'outside')
  shell(me, `cd ${dir}; mkdir -m 700 outside; echo secret > outside/file; chmod 600 outside/file`)
  before = treeDigest(outside).hash
})

const unpack = async (entries: TarEntry[]) => {
  await writeTar(`${dir}/layer.tar`, entries)
  return unpackLayer(`${dir}/layer.tar`, `${dir}/out`, { overlay: true })
}
const paths = () => treeDigest(`${dir}/out`).entries.map(({ path }) => path)

/** Whether it was unpacked or refused, it stayed inside; and what was refused left nothing. */
function expectUntouched({ left }: { left: string[] }): void {
  expect(treeDigest(outside).hash).toBe(before)
  expect(readdirSync(dir).sort()).toEqual(left)
}
const UNPACKED = { left: ['layer.tar', 'out', 'outside'] }
const REFUSED = { left: ['layer.tar', 'outside'] }

describe('names stay inside', () => {
  test.each([
    ['../outside/file', 'outside/file'],
    ['../../../../outside/file', 'outside/file'],
    ['/outside/file', 'outside/file'],
    ['a/../../outside/file', 'outside/file'],
    ['./a/./b//c', 'a/b/c'],
    ['...', '...'],
    ['a/..b', 'a/..b'],
  ])('%s', async (name, path) => {
    await unpack([{ name, content: 'x' }])
    expect(readFileSync(`${dir}/out/${path}`, 'utf8')).toBe('x')
    expectUntouched(UNPACKED)
  })

  test('an absolute path that exists outside', async () => {
    await unpack([{ name: join(outside, 'file'), content: 'x' }])
    expect(readFileSync(join(dir, 'out', outside, 'file'), 'utf8')).toBe('x')
    expectUntouched(UNPACKED)
  })

  test.each([
    ['a zero byte', 'out\0side', /zero byte/],
    ['no UTF-8', 'a\uFFFD', /UTF-8/],
    ['more than a path can hold', 'directory/'.repeat(500) + 'file', /longer than a path/],
    ['more than a name can hold', 'n'.repeat(300), /ENAMETOOLONG/],
    ['a tab and an escape sequence', 'n\t\x1b[31m/'.repeat(700), /^[ -~…]*longer than a path[ -~…]*$/],
  ])('refused: %s', async (_case, name, message) => {
    const refused = unpack([{ name: 'first' }, { name, pax: { path: name } }])
    await expect(refused).rejects.toMatchObject({
      kind: 'usage',
      message: expect.stringMatching(message),
    })
    expectUntouched(REFUSED)
  })
})

describe('symbolic links lead nowhere else', () => {
  test.each([
    ['an absolute one', (to: string) => to],
    ['a relative one', () => '../outside'],
    ['one that climbs', () => '../../../../../../../../../..'],
    ["by the process's own descriptors", (to: string) => `/proc/self/root${to}`],
  ])('%s as a parent directory', async (_case, target) => {
    const link = { name: 'link', type: 'symlink', linkname: target(outside) } as const
    const file = { name: 'link/file', content: 'stolen' }
    const outcome = await unpack([link, file]).then(
      () => UNPACKED,
      (error: unknown) => {
        expect(error).toMatchObject({ kind: 'usage', message: expect.stringContaining('in its way') })
        return REFUSED
      },
    )
    expectUntouched(outcome)
  })

  test("an absolute link means the tree's own root: lib → /usr/lib", async () => {
    await unpack([
      { name: 'usr/lib', type: 'directory' },
      { name: 'lib', type: 'symlink', linkname: '/usr/lib' },
      { name: 'lib/x', content: 'x' },
    ])
    expect(paths()).toEqual(['', 'lib', 'usr', 'usr/lib', 'usr/lib/x'])
    expectUntouched(UNPACKED)
  })

  test('a file in place of a link replaces the link, not what it leads to', async () => {
    const link = (name: string) => ({ name, type: 'symlink', linkname: join(outside, 'file') }) as const
    await unpack([
      link('file'),
      { name: 'file', content: 'x', mode: 0o777 },
      link('dir'),
      { name: 'dir/', type: 'directory' },
    ])
    expect(lstatSync(`${dir}/out/file`).isFile()).toBe(true)
    expect(lstatSync(`${dir}/out/dir`).isDirectory()).toBe(true)
    expectUntouched(UNPACKED)
  })

  test('a directory that becomes a link by another path keeps its mode to itself', async () => {
    await unpack([
      { name: 'real', type: 'directory' },
      { name: 'alias', type: 'symlink', linkname: 'real' },
      { name: 'alias/x', type: 'directory', mode: 0o777, mtime: new Date(0) },
      { name: 'real/x', type: 'symlink', linkname: join(outside, 'file') },
    ])
    expectUntouched(UNPACKED)
    expect(statSync(join(outside, 'file')).mode & 0o777).toBe(0o600)
  })

  test('a link to itself', async () => {
    const refused = unpack([{ name: 'a', type: 'symlink', linkname: 'a' }, { name: 'a/b' }])
    await expect(refused).rejects.toMatchObject({ kind: 'usage' })
    expectUntouched(REFUSED)
  })
})

describe('hard links', () => {
  test.each([
    ['an absolute path', () => [{ name: 'x', type: 'link', linkname: join(outside, 'file') }]],
    ['a path that climbs', () => [{ name: 'x', type: 'link', linkname: '../outside/file' }]],
    [
      'a path through a link',
      () => [
        { name: 'link', type: 'symlink', linkname: outside },
        { name: 'x', type: 'link', linkname: 'link/file' },
      ],
    ],
    ['itself', () => [{ name: 'x', type: 'link', linkname: 'x' }]],
  ] as [string, () => TarEntry[]][])('refused: to %s outside', async (_case, entries) => {
    await expect(unpack(entries())).rejects.toMatchObject({
      kind: 'usage',
      message: expect.stringContaining('hard link'),
    })
    expectUntouched(REFUSED)
    expect(statSync(join(outside, 'file')).nlink).toBe(1)
  })

  test('of a link is a link, and the file that it leads to is not reached', async () => {
    await unpack([
      { name: 'link', type: 'symlink', linkname: join(outside, 'file') },
      { name: 'again', type: 'link', linkname: 'link' },
      { name: 'again', content: 'x' },
    ])
    expectUntouched(UNPACKED)
  })
})

describe('whiteouts', () => {
  test.each(['.wh.', '.wh..', '.wh...', 'a/.wh...'])('refused: %s', async name => {
    await expect(unpack([{ name }])).rejects.toMatchObject({ kind: 'usage' })
    expectUntouched(REFUSED)
  })

  test('of a path that a link leads out of the tree', async () => {
    const refused = unpack([{ name: 'link', type: 'symlink', linkname: outside }, { name: 'link/.wh.file' }])
    await expect(refused).rejects.toMatchObject({ kind: 'usage' })
    expectUntouched(REFUSED)
  })

  test("overlayfs's own attributes are not taken from a tar", async () => {
    const pax = { 'SCHILY.xattr.trusted.overlay.redirect': '/etc', 'SCHILY.xattr.user.overlay.opaque': 'y' }
    await unpack([{ name: 'dir/', type: 'directory', pax }])
    expect(treeDigest(`${dir}/out`).entries[1]).toEqual(expect.not.objectContaining({ opaque: true }))
    expect(
      shell(me, `tar -C ${dir}/out --xattrs --xattrs-include='*' -cf - . | grep -ac overlay || :`).trim(),
    ).toBe('0')
  })
})

describe('extended attributes and numbers beyond all measure', () => {
  test.each([
    ['a value', { 'SCHILY.xattr.user.x': 'x'.repeat(2_000_000) }],
    ['a name', { [`SCHILY.xattr.user.${'x'.repeat(2_000_000)}`]: 'x' }],
    ['a name without a namespace', { 'SCHILY.xattr.nonsense': 'x' }],
    ['an escape that is none', { 'LIBARCHIVE.xattr.user.%zz%': 'eA' }],
    ['an owner', { uid: '99999999999999', gid: '-5' }],
    ['an owner that is no number', { uid: 'root' }],
    ['a time', { mtime: '9'.repeat(100) }],
    ['a time that is none', { mtime: '-1e99' }],
  ] as [string, Record<string, string>][])('%s', async (_case, pax) => {
    const outcome = await unpack([{ name: 'file', pax }]).then(
      () => UNPACKED,
      (error: unknown) => {
        expect(error).toMatchObject({ kind: 'usage', message: expect.stringMatching(/^.{1,300}$/) })
        return REFUSED
      },
    )
    expectUntouched(outcome)
  })
})

test('of entries with one name the last counts, whatever came before', async () => {
  await unpack([
    { name: 'a', content: 'file' },
    { name: 'a', type: 'directory', mode: 0o700 },
    { name: 'a/b', content: 'inside' },
    { name: 'a', content: 'file again' },
    { name: 'b/c/d', content: 'x' },
    { name: 'b', type: 'symlink', linkname: 'a' },
    { name: 'c', type: 'directory', mode: 0o700 },
    { name: 'c', type: 'directory', mode: 0o711 },
    { name: 'd/e' },
    { name: 'd' },
    { name: 'd', type: 'directory' },
    { name: 'd/f' },
  ])
  expect(paths()).toEqual(['', 'a', 'b', 'c', 'd', 'd/f'])
  expect(readFileSync(`${dir}/out/a`, 'utf8')).toBe('file again')
  expect(statSync(`${dir}/out/c`).mode & 0o777).toBe(0o711)
})

test('an entry for the tree itself may set its mode, but not replace it', async () => {
  await unpack([{ name: './', type: 'directory', mode: 0o711 }])
  expect(statSync(`${dir}/out`).mode & 0o777).toBe(0o711)
  removeTree(`${dir}/out`)
  await expect(unpack([{ name: '/', type: 'symlink', linkname: outside }])).rejects.toMatchObject({
    kind: 'usage',
  })
  expectUntouched(REFUSED)
})

test('a file as a parent directory is refused', async () => {
  await expect(unpack([{ name: 'a' }, { name: 'a/b' }])).rejects.toMatchObject({
    message: expect.stringContaining('in its way'),
  })
  expectUntouched(REFUSED)
})

test.each(thorough([10_000]))('a tree %i directories deep: unpacked, described, and removed', async () => {
  const down = Array.from({ length: 2000 }, () => 'd').join('/')
  // no name in a tar can be longer than PATH_MAX, but one link can go on where another ends
  let [end, entries]: [string, TarEntry[]] = ['', []]
  for (const link of ['s1', 's2', 's3', 's4', 's5']) {
    const name = `${end}${down}`
    const pax = { linkpath: `/${name}` }
    entries = [
      ...entries,
      { name: `${name}/`, type: 'directory' },
      { name: link, type: 'symlink', linkname: '', pax },
    ]
    end = `${link}/`
  }
  await unpack([...entries, { name: `${end}file`, content: 'x' }])
  const found = treeDigest(`${dir}/out`).entries
  expect(found.length).toBe(1 + 10_000 + 1 + 5)
  const deepest = found.find(({ type }) => type === 'file')
  expect(deepest).toMatchObject({ path: `${Array<string>(5).fill(down).join('/')}/file`, size: 1 })
  expectUntouched(UNPACKED)
  const open = readdirSync('/proc/self/fd').length
  removeTree(`${dir}/out`)
  expect(existsSync(`${dir}/out`)).toBe(false)
  expect(readdirSync('/proc/self/fd').length).toBe(open)
})

describe('sizes beyond all measure', () => {
  /** The header of a file (tar(5), ustar) that says any size: octal, or base 256 as GNU writes what is larger. */
  const header = (size: bigint | string, type = '0') => {
    const block = Buffer.alloc(512)
    block.write('huge')
    block.write('0000644\0' + '0000000\0'.repeat(2), 100)
    if (typeof size === 'string') block.write(size, 124)
    else {
      block.writeUInt32BE(0x80000000, 124)
      block.writeBigUInt64BE(size, 128)
    }
    block.write('00000000000\0        ' + type, 136)
    block.write('ustar\x0000', 257)
    block.write(
      block
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0') + '\0 ',
      148,
    )
    return block
  }
  const MIB = 2 ** 20

  test.each([
    ['a file of 8 GiB that is not there', header('77777777777\0')],
    ['a file of 2 to the 63', header(2n ** 63n)],
    ['a file of more than a number holds', header(2n ** 64n - 1n)],
    ['a file of less than nothing', header('-0000000001\0')],
    ['a file whose size is no number', header('what size?')],
    ['a long name of 8 GiB', header('77777777777\0', 'L')],
    ['a long link of 2 to the 60', header(2n ** 60n, 'K')],
    ['attributes of 8 GiB', header('77777777777\0', 'x')],
    ['attributes for all of 8 GiB', header('77777777777\0', 'g')],
  ])('refused, and not held in memory: %s', async (_case, head) => {
    writeFileSync(`${dir}/layer.tar`, Buffer.concat([head, Buffer.alloc(8 * MIB, 'x'), Buffer.alloc(1024)]))
    const before = process.memoryUsage().rss
    const refused = unpackLayer(`${dir}/layer.tar`, `${dir}/out`, { overlay: true })
    await expect(refused).rejects.toMatchObject({
      kind: 'usage',
      message: expect.stringMatching(/^.{1,300}$/),
    })
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * MIB)
    expectUntouched(REFUSED)
  })

  test.each(['9'.repeat(30), '-1', '1e99', 'NaN', '8589934592'])(
    'a PAX record that says size %s',
    async size => {
      const refused = unpack([
        { name: 'file', pax: { size } },
        { name: 'next', content: 'x'.repeat(2000) },
      ])
      const outcome = await refused.then(
        () => UNPACKED,
        (error: unknown) => {
          expect(error).toMatchObject({ kind: 'usage', message: expect.stringMatching(/^.{1,300}$/) })
          return REFUSED
        },
      )
      expectUntouched(outcome)
    },
  )

  test('a sparse file of tar --sparse is refused, not blown up', async () => {
    shell(me, `cd ${dir}; mkdir t; truncate -s 1T t/sparse; tar -C t --sparse -cf layer.tar .; rm -r t`)
    const refused = unpackLayer(`${dir}/layer.tar`, `${dir}/out`, { overlay: true })
    await expect(refused).rejects.toMatchObject({
      kind: 'usage',
      remedy: expect.stringContaining('--sparse'),
    })
    expectUntouched(REFUSED)
  })

  // a bomb is bounded by the disk alone: it goes there as it comes, and what was written is taken back
  test.skipIf(me.uid !== 0)(
    'a gzip bomb fills the disk, not the memory, and leaves nothing (mounting needs root)',
    async () => {
      const size = 64 * MIB
      const bomb = Buffer.concat([
        header(size.toString(8).padStart(11, '0') + '\0'),
        Buffer.alloc(size),
        Buffer.alloc(1024),
      ])
      writeFileSync(`${dir}/bomb.tgz`, gzipSync(bomb, { level: 1 }))
      expect(statSync(`${dir}/bomb.tgz`).size).toBeLessThan(2 * MIB)
      const small = [
        'unshare',
        '--mount',
        'sh',
        '-ec',
        `mkdir $0; mount -t tmpfs -o size=4m none $0; exec "$@"`,
        `${dir}/small`,
      ]
      const found = run<{ error: string; message: string; left: string[]; rss: number }>(
        me,
        `const before = process.memoryUsage().rss
       const error = await lib.unpackLayer('${dir}/bomb.tgz', '${dir}/small/out', { overlay: true }).catch(error => error)
       const rss = process.memoryUsage().rss - before
       return { error: error.kind, message: error.message, left: fs.readdirSync('${dir}/small'), rss }`,
        { wrapper: small },
      )
      expect(found).toMatchObject({
        error: 'machine',
        message: expect.stringContaining('ENOSPC'),
        left: [],
      })
      expect(found.rss).toBeLessThan(100 * MIB)
    },
  )
})

test("setuid bits and owners are kept, out of reach of the host's other users; devices open nothing there", async () => {
  await writeTar(`${dir}/layer.tar`, [
    { name: 'su', mode: 0o6755, content: '#!/bin/sh' },
    { name: 'disk', type: 'block-device', devmajor: 254, devminor: 0, mode: 0o666 },
    { name: 'mem', type: 'character-device', devmajor: 1, devminor: 1, mode: 0o666 },
    { name: 'odd', type: 'character-device', devmajor: 2 ** 21 - 1, devminor: 2 ** 21 - 1, mode: 0o666 },
  ])
  vi.stubEnv('MINILAB_DATA', `${dir}/data`)
  const { layers } = (await importRootfs(`${dir}/layer.tar`, 'setuid')).image
  const tree = layerDir(layers[0]!)
  expect(statSync(`${tree}/su`).mode & 0o7777).toBe(0o6755)
  expect(statSync(`${dir}/data/layers`).mode & 0o777).toBe(0o710)
  if (me.uid !== 0) return expect(readdirSync(tree)).toEqual(['su'])
  // not by its path, and by no device that is in it
  for (const file of ['su', 'disk', 'mem'])
    expect(() => shell(ordinary, `cat ${tree}/${file} 2>&1 | head -c 1; test -e ${tree}/${file}`)).toThrow(
      'exit 1',
    )
})

describe('what is truncated or damaged is refused, and nothing of it is left', () => {
  const tar = async () => {
    await writeTar(`${dir}/layer.tar`, [
      { name: 'first', content: 'x'.repeat(1000) },
      { name: 'second', content: Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * i) % 251)) },
    ])
    return readFileSync(`${dir}/layer.tar`)
  }
  const whole = (bytes: Buffer) => bytes
  const damages: [string, (bytes: Buffer) => Buffer, (bytes: Buffer) => Buffer][] = [
    ['cut in a header', whole, bytes => bytes.subarray(0, 300)],
    ['cut in a file', whole, bytes => bytes.subarray(0, 100_000)],
    ['cut between two entries', whole, bytes => bytes.subarray(0, 1536)],
    ['gzip, cut', gzipSync, bytes => bytes.subarray(0, bytes.length >> 1)],
    ['gzip, its checksum cut off', gzipSync, bytes => bytes.subarray(0, -8)],
    ['gzip, a byte changed', gzipSync, bytes => bytes.fill(0xff, 200, 240)],
    ['zstd, cut', zstdCompressSync, bytes => bytes.subarray(0, bytes.length >> 1)],
    ['empty', whole, () => Buffer.alloc(0)],
    ['text', whole, () => Buffer.from('no tar at all\n'.repeat(100))],
    ['a changed header', whole, bytes => bytes.fill('z', 1536, 1540)],
    ['xz', whole, () => Buffer.from('fd377a585a000004e6d6b446', 'hex')],
  ]
  test.each(damages)('%s', async (_case, compress, damage) => {
    writeFileSync(`${dir}/layer.tar`, damage(compress(await tar())))
    const refused = unpackLayer(`${dir}/layer.tar`, `${dir}/out`, { overlay: true })
    await expect(refused).rejects.toMatchObject({
      kind: 'usage',
      message: expect.stringMatching(
        /^[^\n]*layer\.tar[^\n]*(truncated|damaged|empty|compressed with xz)[^\n]*$/,
      ),
      remedy: expect.stringMatching(/./),
    })
    expectUntouched(REFUSED)
  })

  test('a file that is not there', async () => {
    const refused = unpackLayer(`${dir}/none.tar`, `${dir}/out`, { overlay: true })
    await expect(refused).rejects.toMatchObject({
      kind: 'usage',
      message: expect.stringContaining('ENOENT'),
    })
  })
})
