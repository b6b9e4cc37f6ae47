import { readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { LayerInfo } from '../../lib/image/layer-info.ts'
import { packLayer, unpackLayer } from '../../lib/image/layer.ts'
import { treeDigest } from '../../lib/image/tree-digest.ts'
import { folder, hindrance, me, run, shell, users, writeTar } from './support.ts'

type Digest = ReturnType<typeof treeDigest>

const LOWER = `
  mkdir -p lower/kept lower/gone/deep lower/again/old lower/etc lower/mode
  for f in kept/a gone/deep/b again/old/c again/d etc/passwd etc/removed moved mode/file; do echo $f > lower/$f; done
  ln -s etc lower/link`
// in the merged view: copy-up, whiteouts of a file and a directory, a directory made anew (opaque), and whatever else
const CHANGES = `
  echo more >> etc/passwd; rm etc/removed link; rm -r gone; rm -r again; mkdir again; echo new > again/d
  mv moved elsewhere; chmod 2750 mode; echo x > setuid; chmod 4755 setuid; ln setuid hard; ln -s /etc/passwd link
  mkdir -m 1777 sticky; mkfifo fifo; mkdir -p nested/again; rm -r nested; mkdir nested; echo ü > 'nested/ü ü'`

describe.each(users)('as %s', (name, user) => {
  const root = name === 'root'
  // a user namespace keeps overlay's notes in user.overlay.*
  const unshare = root ? ['unshare', '--mount'] : ['unshare', '--user', '--map-root-user', '--mount']
  const overlay = (lower: string[], extra = '') =>
    `mount -t overlay overlay merged -o ${root ? 'redirect_dir=off,metacopy=off' : 'userxattr'},lowerdir=${lower.join(':')}${extra}`

  /** The tree that the overlay shows, seen in a mount namespace that goes away afterwards. */
  const merged = (dir: string, mount: string, changes = ':') => {
    const { entries } = run<Digest>(user, `return lib.treeDigest('${dir}/merged')`, {
      wrapper: [...unshare, '/bin/sh', '-ec', `cd ${dir}; ${mount}; (cd merged; ${changes}); exec "$0" "$@"`],
    })
    // each kind of overlay shows the other kind's mark of an opaque directory like any attribute
    return entries.map(({ opaque: _, ...entry }) => entry)
  }

  test('an upper directory, packed and unpacked, gives the same view over the same lower one', context => {
    const reason = hindrance(user, unshare)
    context.skip(!!reason, reason)
    const dir = folder(user)
    shell(user, `cd ${dir}; umask 022; ${LOWER}; mkdir upper work merged`)
    const upperAndWork = `,upperdir=upper,workdir=work`
    const lowerBefore = run<Digest>(user, `return lib.treeDigest('${dir}/lower')`)
    const before = merged(dir, overlay(['lower'], upperAndWork), CHANGES)

    const { packed, unpacked, upper, again } = run<
      Record<'packed' | 'unpacked', LayerInfo> & Record<'upper' | 'again', Digest>
    >(
      user,
      `const packed = await lib.packLayer('${dir}/upper', '${dir}/layer.tar', { overlay: true })
       const unpacked = await lib.unpackLayer('${dir}/layer.tar', '${dir}/unpacked', { overlay: true })
       return { packed, unpacked, upper: lib.treeDigest('${dir}/upper'), again: lib.treeDigest('${dir}/unpacked') }`,
    )
    expect(unpacked).toEqual(packed)
    expect(again).toEqual(upper)
    const kinds = Object.fromEntries(upper.entries.map(({ path, rdev, opaque }) => [path, rdev ?? opaque]))
    expect(kinds).toMatchObject({ gone: '0:0', 'etc/removed': '0:0', moved: '0:0', again: true })

    // the judge: the kernel's own overlay, with the unpacked layer in place of the upper directory
    const after = merged(dir, overlay(['unpacked', 'lower']))
    expect(after).toEqual(before)
    expect(after.map(({ path }) => path)).not.toContain('again/old')
    expect(run<Digest>(user, `return lib.treeDigest('${dir}/lower')`)).toEqual(lowerBefore)

    // the form that the OCI prescribes
    const names = shell(user, `tar -tf ${dir}/layer.tar`).split('\n')
    expect(names).toEqual(
      expect.arrayContaining(['.wh.gone', 'etc/.wh.removed', 'again/.wh..wh..opq', '.wh.moved']),
    )
  })
})

test('an upper directory that leans on its lower one is refused', async context => {
  context.skip(me.uid !== 0, 'redirect_dir needs an overlay of the initial user namespace, and so root')
  const dir = folder()
  shell(me, `cd ${dir}; ${LOWER}; mkdir upper work merged`)
  const options = 'redirect_dir=on,lowerdir=lower,upperdir=upper,workdir=work'
  shell(me, `cd ${dir}; mount -t overlay overlay merged -o ${options}; mv merged/kept merged/renamed`, [
    'unshare',
    '--mount',
  ])
  await expect(packLayer(`${dir}/upper`, `${dir}/layer.tar`, { overlay: true })).rejects.toMatchObject({
    kind: 'usage',
    remedy: expect.stringContaining('redirect_dir=off'),
  })
  expect(readdirSync(dir)).not.toContain('layer.tar')
})

test('without overlay, whiteouts are left out: there is nothing below', async () => {
  const dir = folder()
  await writeTar(
    `${dir}/layer.tar`,
    ['.wh.gone', '.wh..wh..opq', 'kept'].map(name => ({ name })),
  )
  await unpackLayer(`${dir}/layer.tar`, `${dir}/out`, { overlay: false })
  expect(treeDigest(`${dir}/out`).entries.map(({ path }) => path)).toEqual(['', 'kept'])
})

test('a whiteout concerns the layers below only: what its own layer brings stays, and is opaque', async () => {
  const dir = folder()
  const layer = ['.wh.before', 'before/new', 'after/new', '.wh.after', 'file', '.wh.file', '.wh..wh.plnk']
  await writeTar(
    `${dir}/layer.tar`,
    layer.map(name => ({ name })),
  )
  await unpackLayer(`${dir}/layer.tar`, `${dir}/out`, { overlay: true })
  const { entries } = treeDigest(`${dir}/out`)
  expect(entries.map(({ path, type, opaque }) => [path, type, opaque])).toEqual([
    ['', 'directory', undefined],
    ['after', 'directory', true],
    ['after/new', 'file', undefined],
    ['before', 'directory', true],
    ['before/new', 'file', undefined],
    ['file', 'file', undefined],
  ])
})
