import { execFileSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { treeDigest } from '../../lib/image/tree-digest.ts'
import { deviceNumber, deviceNumbers, walk } from '../../lib/image/tree.ts'
import { folder, hindrance, me, run, shell, users } from './support.ts'

const XATTR = join(import.meta.dirname, '../../lib/image/xattr.ts')

describe('the digest of a tree', () => {
  const stand = () => {
    const dir = folder()
    shell(
      me,
      `cd ${dir}; mkdir -p t/a; echo one > t/a/f; echo two > t/g; ln -s g t/l; ln t/g t/h; mkfifo t/p`,
    )
    return dir
  }

  test('says what find and sha256sum say', () => {
    const dir = stand()
    const { entries } = treeDigest(`${dir}/t`)
    const found = shell(me, `cd ${dir}/t; LC_ALL=C find . -printf '%P %y %m %U %G\\n' | sort`)
      .trimEnd()
      .split('\n')
    const letters: Record<string, string> = { file: 'f', directory: 'd', symlink: 'l', fifo: 'p' }
    const said = entries.map(e => `${e.path} ${letters[e.type]} ${e.mode.slice(1)} ${e.uid} ${e.gid}`)
    expect(said.sort()).toEqual(found.sort())
    const sum = shell(me, `sha256sum < ${dir}/t/g`).split(' ')[0]
    expect(entries.find(({ path }) => path === 'g')).toMatchObject({ sha256: sum, size: 4 })
    expect(entries.find(({ path }) => path === 'h')).toMatchObject({ sha256: sum, sameAs: 'g' })
    expect(entries.find(({ path }) => path === 'l')).toMatchObject({ target: 'g' })
  })

  test.each([
    ['a byte', 'printf tWo > t/g'],
    ['a mode', 'chmod 600 t/g'],
    ["a directory's mode", 'chmod 1755 t/a'],
    ["a link's target", 'ln -sf h t/l'],
    ['a new file', ': > t/new'],
    ['a file less', 'rm t/p'],
    ['another name', 'mv t/g t/i'],
    ['a copy in place of a hard link', 'rm t/h; cp -p t/g t/h'],
    ['another kind', 'rm t/p; : > t/p'],
    [
      'an extended attribute',
      `node -e "import('${XATTR}').then(m => m.writeXattr('t/g', 'user.x', Buffer.from('1')))"`,
    ],
  ])('differs by %s', (_case, change) => {
    const dir = stand()
    const before = treeDigest(`${dir}/t`).hash
    shell(me, `cd ${dir}; PATH=${join(process.execPath, '..')}:$PATH; ${change}`)
    expect(treeDigest(`${dir}/t`).hash).not.toBe(before)
  })

  test('does not differ by time, place or another reading', () => {
    const dir = stand()
    const before = treeDigest(`${dir}/t`)
    shell(me, `cd ${dir}; touch -h -d @0 t/g t/l t/a; cp -a t u`)
    expect(treeDigest(`${dir}/t`)).toEqual(before)
    expect(treeDigest(`${dir}/u`)).toEqual(before)
  })

  test('tells owners and devices', context => {
    context.skip(me.uid !== 0, 'chown(2) and mknod(2) need root')
    const dir = stand()
    shell(me, `cd ${dir}; chown 12:70000 t/g; mknod t/dev c 259 70000`)
    const { entries } = treeDigest(`${dir}/t`)
    expect(entries.find(({ path }) => path === 'g')).toMatchObject({ uid: 12, gid: 70000 })
    expect(entries.find(({ path }) => path === 'dev')).toMatchObject({
      type: 'character-device',
      rdev: '259:70000',
    })
  })

  test('a name that is not UTF-8 is refused rather than misread', () => {
    const dir = folder()
    writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0x66, 0xff])]), '')
    expect(() => [...walk(dir)]).toThrow(expect.objectContaining({ kind: 'usage' }))
  })
})

describe.each(users)('removing a tree, as %s', (_name, user) => {
  test('whatever its modes, names, links and depth', context => {
    const reason = hindrance(user)
    context.skip(!!reason, reason)
    const dir = folder(user)
    shell(
      user,
      `cd ${dir}; echo kept > kept; mkdir -p t/locked/inner t/closed; echo x > t/locked/inner/f; ln -s ../kept t/link; ln -s .. t/up
       : > "t/$(printf '\\377')"; chmod 0 t/closed; chmod 0555 t/locked/inner t/locked`,
    )
    // 8,000 bytes deep: twice what a path can hold
    run(
      user,
      `const name = 'n'.repeat(200)
       process.chdir('${dir}/t')
       for (let i = 0; i < 40; i++) { fs.mkdirSync(name); process.chdir(name) }
       fs.writeFileSync('bottom', '')
       lib.removeTree('${dir}/t'); lib.removeTree('${dir}/none')`,
    )
    expect(readdirSync(dir)).toEqual(['kept'])
  })

  test('deeper than there are descriptors, on both sides of a branch, from a path that is long itself', context => {
    const reason = hindrance(user)
    context.skip(!!reason, reason)
    const dir = folder(user)
    const failed = run(
      user,
      `const top = '${dir}/' + 'long'.repeat(50) + '/' + 'long'.repeat(50)
       for (const [first, depth] of [['a', 3000], ['b', 100]]) {
         fs.mkdirSync(top + '/' + first, { recursive: true })
         process.chdir(top + '/' + first)
         for (let i = 0; i < depth; i++) {
           if (i % 100 === 0) fs.writeFileSync('file', '')
           fs.mkdirSync('n'.repeat(20)); process.chdir('n'.repeat(20))
         }
       }
       process.chdir('/')
       lib.removeTree(top)`,
      { wrapper: ['prlimit', '--nofile=64'] },
    )
    expect(failed).toBeNull()
    expect(readdirSync(`${dir}/${'long'.repeat(50)}`)).toEqual([])
  })
})

test('device numbers are those of makedev(3)', () => {
  for (const [major, minor] of [
    [1, 3],
    [259, 70000],
    [4095, 1048575],
    [0, 0],
  ] as const)
    expect(deviceNumbers(BigInt(deviceNumber(major, minor)))).toEqual({ major, minor })
  const { rdev } = [...walk('/dev')].find(({ path }) => path === 'null')!.stat
  const [major, minor] = execFileSync('stat', ['-c', '%t %T', '/dev/null'], { encoding: 'utf8' })
    .trim()
    .split(' ')
  expect(deviceNumbers(rdev)).toEqual({ major: parseInt(major!, 16), minor: parseInt(minor!, 16) })
})
