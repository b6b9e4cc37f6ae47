import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { readImage, writeImage } from '../../lib/image/image.ts'
import { addLayer, layerDir } from '../../lib/image/layer-store.ts'
import { packLayer } from '../../lib/image/layer.ts'
import { findImage, importRootfs, plannedLayers } from '../../lib/image/store.ts'
import { treeDigest } from '../../lib/image/tree-digest.ts'
import { folder, me, shell, writeTar } from './support.ts'

let dir: string
let data: string
beforeEach(() => {
  dir = folder()
  data = `${dir}/data`
  vi.stubEnv('MINILAB_DATA', data)
})
afterEach(() => {
  vi.unstubAllEnvs()
})

const usage = (message: string, remedy: string) => ({
  kind: 'usage',
  message: expect.stringContaining(message),
  remedy: expect.stringContaining(remedy),
})

describe('the word given to run', () => {
  test('"default" is made when it is asked for; a dry run only says where it would be', async () => {
    expect(plannedLayers('default')).toEqual([`${data}/layers/default/diff`])
    expect(existsSync(data)).toBe(false)
    const found = await findImage('default')
    expect(found).toMatchObject({ name: 'default', kind: 'image', config: { Cmd: ['/bin/sh'] } })
    expect(found.layers).toEqual(readImage('default')?.layers.map(layerDir))
    expect(plannedLayers('default')).toEqual(found.layers)
    expect(statSync(`${found.layers[0]}/bin/sh`).isFile()).toBe(true)
  })

  test('a directory, by a path or by its plain name', async () => {
    mkdirSync(`${dir}/rootfs`)
    const expected = { name: `${dir}/rootfs`, kind: 'directory', layers: [`${dir}/rootfs`], config: {} }
    expect(await findImage(`${dir}/rootfs`)).toEqual(expected)
    vi.spyOn(process, 'cwd').mockReturnValue(dir)
    expect(await findImage(`${dir}/../${dir.split('/').at(-1)}/rootfs/`)).toEqual(expected)
    vi.restoreAllMocks()
    expect(existsSync(data)).toBe(false)
  })

  test.each([
    ['defualt', 'there is no image or directory "defualt"', 'did you mean "default"?'],
    ['xyzzy', 'there is no image or directory "xyzzy"', 'the images here are: default'],
    ['./nowhere', 'there is no directory ./nowhere', 'name a directory'],
    ['../escape', 'there is no directory ../escape', 'name a directory'],
    ['/etc/passwd', '/etc/passwd is a file', 'name a directory'],
    ['', 'there is no image or directory ""', 'default'],
  ])('refused: %j', async (word, message, remedy) => {
    await expect(findImage(word)).rejects.toMatchObject(usage(message, remedy))
    expect(existsSync(data)).toBe(false)
  })

  test('an image that was imported is suggested too', async () => {
    await writeTar(`${dir}/rootfs.tar`, [{ name: 'bin/sh' }])
    await importRootfs(`${dir}/rootfs.tar`, 'alpine:3')
    await expect(findImage('alpin:3')).rejects.toMatchObject(usage('no image', '"alpine:3"'))
  })

  test.each(['plain', 'gzip', 'xz'])(
    'an archive is no root file system, but says how it becomes one: %s',
    async kind => {
      await writeTar(`${dir}/rootfs.tar`, [{ name: 'bin/sh' }])
      if (kind !== 'plain') shell(me, `${kind} ${dir}/rootfs.tar`)
      const path = `${dir}/${readdirSync(dir).find(name => name.startsWith('rootfs'))}`
      const refused = findImage(path)
      await expect(refused).rejects.toMatchObject(
        usage('is an archive', `mkdir rootfs && tar -C rootfs -xpf ${path}`),
      )
      // what the remedy says does work
      shell(me, `cd ${dir}; mkdir rootfs && tar -C rootfs -xpf ${path}`)
      expect(await findImage(`${dir}/rootfs`)).toMatchObject({ kind: 'directory' })
    },
  )

  test('an image whose layer is gone', async () => {
    await writeTar(`${dir}/rootfs.tar`, [{ name: 'bin/sh' }])
    const { image } = await importRootfs(`${dir}/rootfs.tar`, 'broken')
    shell(me, `rm -r ${data}/layers`)
    const digest = image.layers[0]!.slice(0, 19)
    await expect(findImage('broken')).rejects.toMatchObject(
      usage(`"broken" lacks its layer ${digest}`, 'import it again'),
    )
  })

  test('an image whose file is damaged', async () => {
    mkdirSync(`${data}/images/broken`, { recursive: true })
    writeFileSync(`${data}/images/broken/image.json`, '{"name":')
    await expect(findImage('broken')).rejects.toMatchObject(
      usage('is not JSON', `rm ${data}/images/broken/image.json`),
    )
  })
})

describe('importing the tar of a root file system', () => {
  test('becomes an image of one layer, the same tree as GNU tar unpacks', async () => {
    shell(
      me,
      `cd ${dir}; mkdir -p tree/bin tree/etc; cp /bin/true tree/bin; ln -s true tree/bin/sh; tar -C tree -czf rootfs.tgz .`,
    )
    const { image, notes } = await importRootfs(`${dir}/rootfs.tgz`, 'mine')
    expect(notes).toEqual([])
    // judged by other tools
    const digest = execFileSync('/bin/sh', ['-c', `gzip -dc ${dir}/rootfs.tgz | sha256sum`], {
      encoding: 'utf8',
    }).split(' ')[0]
    expect(image.layers).toEqual([`sha256:${digest}`])
    const found = await findImage('mine')
    expect(found).toEqual({
      name: 'mine',
      kind: 'image',
      layers: [layerDir(`sha256:${digest}`)],
      config: image.config,
    })
    expect(treeDigest(found.layers[0]!).hash).toBe(treeDigest(`${dir}/tree`).hash)
    for (const path of ['', '/images', '/images/mine', `/layers/${digest!.slice(0, 12)}`])
      expect(statSync(data + path).mode & 0o777, path).toBe(0o755)
    // again, under another name: the layer is there once
    await importRootfs(`${dir}/rootfs.tgz`, 'other')
    expect(readdirSync(`${data}/layers`)).toEqual([digest!.slice(0, 12)])
    expect(readdirSync(`${data}/tmp`)).toEqual([])
  })

  test.each(['default', '', '..', 'a/b', 'Big', '-x', 'a b', 'x'.repeat(200), 'a\n'])(
    'refused: the name %j',
    async name => {
      await expect(importRootfs(`${dir}/none.tar`, name)).rejects.toMatchObject(
        usage('cannot be called', 'lowercase letters'),
      )
      expect(existsSync(data)).toBe(false)
    },
  )

  test.each([['manifest.json'], ['oci-layout']])('refused: an image saved in layers (%s)', async name => {
    await writeTar(`${dir}/saved.tar`, [{ name }, { name: 'blobs/sha256/abc' }])
    await expect(importRootfs(`${dir}/saved.tar`, 'saved')).rejects.toMatchObject(
      usage('in layers', 'docker export'),
    )
    expect(readdirSync(`${data}/layers`)).toEqual([])
    expect(readdirSync(`${data}/tmp`)).toEqual([])
    expect(readImage('saved')).toBeUndefined()
  })

  test('refused: what is no tar; an image of that name stays as it was', async () => {
    await writeTar(`${dir}/rootfs.tar`, [{ name: 'bin/sh' }])
    const { image } = await importRootfs(`${dir}/rootfs.tar`, 'mine')
    writeFileSync(`${dir}/text`, 'no tar')
    await expect(importRootfs(`${dir}/text`, 'mine')).rejects.toMatchObject({ kind: 'usage' })
    expect(readImage('mine')).toEqual(image)
    expect(readdirSync(`${data}/tmp`)).toEqual([])
  })
})

test('a layer that another process adds at the same time is added once', async () => {
  await writeTar(`${dir}/rootfs.tar`, [{ name: 'bin/sh' }])
  const images = await Promise.all(['a', 'b', 'c'].map(name => importRootfs(`${dir}/rootfs.tar`, name)))
  expect(new Set(images.flatMap(({ image }) => image.layers)).size).toBe(1)
  expect(readdirSync(`${data}/layers`).length).toBe(1)
})

test('two layers whose digests begin alike are told apart', async () => {
  const fill = (diffId: string) => async (path: string) => {
    mkdirSync(path)
    return { ...(await packLayer(path, `${dir}/${diffId.at(-1)}.tar`, { overlay: false })), diffId }
  }
  const digest = (end: string) => `sha256:${'0'.repeat(63)}${end}`
  await addLayer(fill(digest('1')))
  await addLayer(fill(digest('1')))
  await expect(addLayer(fill(digest('2')))).rejects.toMatchObject(usage('holds another layer', 'rm -r'))
})

test('images are replaced whole', () => {
  const image = { name: 'x', layers: [], config: {}, created: 'once' }
  writeImage(image)
  writeImage({ ...image, created: 'twice' })
  expect(readImage('x')).toEqual({ ...image, created: 'twice' })
  expect(readdirSync(`${data}/images/x`)).toEqual(['image.json'])
})
