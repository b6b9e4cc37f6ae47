import { execFileSync } from 'node:child_process'
import {
  createReadStream,
  createWriteStream,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { type LayerInfo } from '../../lib/image/layer-info.ts'
import { packLayer, unpackLayer } from '../../lib/image/layer.ts'
import { treeDigest } from '../../lib/image/tree-digest.ts'
import { folder, hindrance, me, ordinary, run, shell, users, writeTar } from './support.ts'

/** A tree of every kind of file that needs no privilege, made by the user. */
const TREE = `
  mkdir -p tree/a/b tree/sticky tree/locked 'tree/with space'
  echo one > tree/a/one; ln tree/a/one tree/a/b/again; ln -s ../a/one tree/a/link; ln -s /nowhere tree/dangling
  : > tree/empty; head -c 3000000 /dev/urandom > tree/large; printf x > 'tree/with space/ünïcödé'
  printf x > tree/a/$(printf 'n%.0s' $(seq 200)); mkdir -p tree/$(printf 'deep-directory-name/%.0s' $(seq 20))
  mkfifo tree/fifo; printf x > tree/setuid; printf x > tree/nothing; printf x > tree/old; touch -d @1 tree/old
  touch -d '2100-01-01 00:00:00Z' tree/future
  chmod 4751 tree/setuid; chmod 1777 tree/sticky; chmod 2750 tree/a/b; chmod 0 tree/nothing; chmod 0555 tree/locked`
const DEVICES = `mknod tree/null c 1 3; mknod tree/disk b 259 70000; chmod 620 tree/null; chown 3:70000 tree/null; chown -h 1000000:7 tree/a/link`

describe.each(users)('as %s', (_name, user) => {
  const stand = (note?: string) => {
    const dir = folder(user)
    // only its owner may read a file without permission bits, and that is root
    shell(user, `cd ${dir}; ${TREE}; ${user.uid === 0 ? DEVICES : 'chmod 400 tree/nothing'}; ${note ?? ''}`)
    return dir
  }

  test('a tree comes out of its tar as it went in', context => {
    context.skip(!!hindrance(user), hindrance(user))
    const dir = stand()
    const { packed, unpacked, hashes } = run<{ packed: LayerInfo; unpacked: LayerInfo; hashes: string[] }>(
      user,
      `const packed = await lib.packLayer('${dir}/tree', '${dir}/layer.tar', { overlay: false })
       const unpacked = await lib.unpackLayer('${dir}/layer.tar', '${dir}/again', { overlay: false })
       return { packed, unpacked, hashes: ['tree', 'again'].map(name => lib.treeDigest('${dir}/' + name).hash) }`,
    )
    expect(hashes[1]).toBe(hashes[0])
    expect(unpacked).toEqual(packed)
    // judged by other tools: sha256sum and find
    expect(packed.diffId).toBe(`sha256:${shell(me, `sha256sum < ${dir}/layer.tar`).split(' ')[0]}`)
    const list = (name: string) =>
      shell(
        me,
        `cd ${dir}/${name}; find . -printf '%y %m %U:%G %n %l %Ts %p\\n' | sed '/^d.* \\.$/d' | sort -k 7`,
      )
    expect(list('again')).toBe(list('tree'))
    expect(readdirSync(dir).sort()).toEqual(['again', 'layer.tar', 'tree'])
  })

  test('GNU tar reads what we write, and we read what it writes', context => {
    context.skip(!!hindrance(user), hindrance(user))
    const dir = stand()
    const [ours, theirs, original] = run<string[]>(
      user,
      `await lib.packLayer('${dir}/tree', '${dir}/ours.tar', { overlay: false })
       const { execFileSync } = await import('node:child_process')
       fs.mkdirSync('${dir}/theirs')
       execFileSync('tar', ['-C', '${dir}/theirs', '--numeric-owner', '-xpf', '${dir}/ours.tar'])
       execFileSync('tar', ['-C', '${dir}/tree', '--format=posix', '-czf', '${dir}/theirs.tgz', '.'])
       await lib.unpackLayer('${dir}/theirs.tgz', '${dir}/ours', { overlay: true })
       return ['ours', 'theirs', 'tree'].map(name => lib.treeDigest('${dir}/' + name).hash)`,
    )
    expect(ours).toBe(original)
    expect(theirs).toBe(original)
    // GNU tar's posix format has nanoseconds
    expect(statSync(`${dir}/ours/large`, { bigint: true }).mtimeNs).toBe(
      statSync(`${dir}/tree/large`, { bigint: true }).mtimeNs,
    )
  })
})

describe('extended attributes', () => {
  test("text and binary values are kept, the overlay's own are not", async () => {
    const dir = folder()
    shell(me, `mkdir ${dir}/tree; echo x > ${dir}/tree/file`)
    const binary = Buffer.from([0, 255, 10, 61, 128])
    const attributes = {
      'user.text': Buffer.from('a=b\nü'),
      'user.binary': binary,
      'user.overlay.origin': binary,
    }
    run(
      me,
      `const { writeXattr } = await import('${join(import.meta.dirname, '../../lib/image/xattr.ts')}')
       for (const [name, value] of ${JSON.stringify(Object.entries(attributes).map(([n, v]) => [n, v.toString('hex')]))})
         writeXattr('${dir}/tree/file', name, Buffer.from(value, 'hex'))`,
    )
    await packLayer(`${dir}/tree`, `${dir}/layer.tar`, { overlay: true })
    await unpackLayer(`${dir}/layer.tar`, `${dir}/again`, { overlay: true })
    const expected = {
      'user.binary': binary.toString('base64'),
      'user.text': Buffer.from('a=b\nü').toString('base64'),
    }
    expect(treeDigest(`${dir}/again`).entries[1]?.xattrs).toEqual(expected)
    expect(shell(me, `tar -tvf ${dir}/layer.tar --xattrs`)).not.toContain('overlay')
  })

  test('file capabilities are kept as root', async context => {
    context.skip(me.uid !== 0, 'setting security.capability needs root')
    const dir = folder()
    shell(
      me,
      `mkdir ${dir}/tree; cp /bin/true ${dir}/tree; PATH=$PATH:/sbin setcap cap_net_raw,cap_setuid+ep ${dir}/tree/true`,
    )
    await packLayer(`${dir}/tree`, `${dir}/layer.tar`, { overlay: false })
    await unpackLayer(`${dir}/layer.tar`, `${dir}/again`, { overlay: false })
    expect(shell(me, `PATH=$PATH:/sbin getcap ${dir}/again/true`)).toContain('cap_setuid,cap_net_raw=ep')
    expect(treeDigest(`${dir}/again`).hash).toBe(treeDigest(`${dir}/tree`).hash)
  })
})

test('the same tree gives the same bytes', async () => {
  const dir = folder()
  shell(me, `cd ${dir}; ${TREE}; chmod 400 tree/nothing; cp -a tree copy`)
  const first = await packLayer(`${dir}/tree`, `${dir}/1.tar`, { overlay: false })
  const second = await packLayer(`${dir}/copy`, `${dir}/2.tar`, { overlay: false })
  expect(second).toEqual(first)
  expect(readFileSync(`${dir}/1.tar`).equals(readFileSync(`${dir}/2.tar`))).toBe(true)
})

test('gzip and zstd are told by their first bytes, from a path or a stream; the digest is that of the plain tar', async () => {
  const dir = folder()
  shell(me, `mkdir ${dir}/tree; seq 50000 > ${dir}/tree/file`)
  const packed = await packLayer(`${dir}/tree`, `${dir}/plain`, { overlay: false })
  const plain = readFileSync(`${dir}/plain`)
  writeFileSync(`${dir}/gzip`, gzipSync(plain))
  writeFileSync(`${dir}/zstd`, zstdCompressSync(plain))
  for (const format of ['plain', 'gzip', 'zstd']) {
    expect(await unpackLayer(`${dir}/${format}`, `${dir}/${format}-out`, { overlay: true })).toEqual(packed)
    const stream = createReadStream(`${dir}/${format}`, { highWaterMark: 300 })
    expect(await unpackLayer(stream, `${dir}/${format}-streamed`, { overlay: true })).toEqual(packed)
    expect(treeDigest(`${dir}/${format}-streamed`).hash).toBe(treeDigest(`${dir}/tree`).hash)
  }
})

test('a socket is left out with a note, a name that would be a whiteout is refused', async () => {
  const dir = folder()
  shell(me, `mkdir -p ${dir}/tree`)
  const server = createServer().listen(`${dir}/tree/socket`)
  await new Promise(listening => server.once('listening', listening))
  const packed = await packLayer(`${dir}/tree`, `${dir}/layer.tar`, { overlay: false })
  server.close()
  expect(packed.notes).toEqual([expect.stringMatching(/^socket: left out/)])
  expect(packed.entries).toBe(1)
  writeFileSync(`${dir}/tree/.wh.file`, '')
  await expect(packLayer(`${dir}/tree`, `${dir}/2.tar`, { overlay: false })).rejects.toMatchObject({
    kind: 'usage',
  })
  expect(readdirSync(dir).sort()).toEqual(['layer.tar', 'tree'])
})

test.each([
  ['files', 'head -c 3000000 /dev/zero > large; echo x > small'],
  ['nothing but names', 'seq 300 | xargs mkdir; seq 301 600 | xargs touch'],
])('a full disk is a typed error, with a tree of %s', async (_case, make) => {
  const dir = folder()
  shell(me, `mkdir ${dir}/tree; cd ${dir}/tree; ${make}`)
  const full = createWriteStream('/dev/full')
  await expect(packLayer(`${dir}/tree`, full, { overlay: false })).rejects.toMatchObject({
    kind: 'machine',
    message: expect.stringContaining('ENOSPC'),
    remedy: expect.stringContaining('free some space'),
  })
  await expect(packLayer(`${dir}/none`, `${dir}/out.tar`, { overlay: false })).rejects.toMatchObject({
    kind: 'usage',
  })
  await expect(packLayer(`${dir}/tree`, `${dir}/no/out.tar`, { overlay: false })).rejects.toMatchObject({
    kind: 'usage',
  })
  expect(readdirSync(dir)).toEqual(['tree'])
})

test('what is there already is not overwritten', async () => {
  const dir = folder()
  await writeTar(`${dir}/layer.tar`, [{ name: 'new' }])
  shell(me, `mkdir ${dir}/full ${dir}/empty; echo old > ${dir}/full/old`)
  await expect(unpackLayer(`${dir}/layer.tar`, `${dir}/full`, { overlay: true })).rejects.toMatchObject({
    kind: 'usage',
    message: expect.stringContaining('not empty'),
  })
  await unpackLayer(`${dir}/layer.tar`, `${dir}/empty`, { overlay: true })
  expect(readdirSync(`${dir}/empty`)).toEqual(['new'])
  expect(readdirSync(dir).sort()).toEqual(['empty', 'full', 'layer.tar'])
})

test("without root, devices are left out with a note and files are the user's", context => {
  context.skip(!!hindrance(ordinary), hindrance(ordinary))
  const dir = folder(ordinary)
  const script = `return lib.unpackLayer('${dir}/layer.tar', '${dir}/out', { overlay: true })`
  return writeTar(`${dir}/layer.tar`, [
    { name: 'dev/null', type: 'character-device', devmajor: 1, devminor: 3 },
    { name: 'file', uid: 12, gid: 34, content: 'x' },
  ]).then(() => {
    const { notes } = run<LayerInfo>(ordinary, script)
    expect(notes).toEqual([expect.stringMatching(/^"dev\/null": device 1:3 left out \(EPERM\)/)])
    expect(existsSync(`${dir}/out/dev/null`)).toBe(false)
    expect(statSync(`${dir}/out/file`)).toMatchObject(ordinary)
  })
})

test('thousands of entries', async () => {
  const dir = folder()
  const entries = Array.from({ length: 5_000 }, (_, i) => ({
    name: `d${i % 300}/f${i}`,
    content: String(i),
  }))
  await writeTar(`${dir}/layer.tar`, entries)
  const info = await unpackLayer(`${dir}/layer.tar`, `${dir}/out`, { overlay: true })
  expect(info.entries).toBe(5_000)
  expect(execFileSync('find', [`${dir}/out`, '-type', 'f', '-printf', '.']).length).toBe(5_000)
  const open = readdirSync('/proc/self/fd').length
  expect(open).toBeLessThan(100)
})
