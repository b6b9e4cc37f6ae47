import { existsSync, lstatSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { interpreter } from '../../lib/image/elf.ts'
import type { Image } from '../../lib/image/image.ts'
import { LAYERS_GROUP } from '../../lib/image/layer-store.ts'
import type { TreeEntry } from '../../lib/image/tree-digest.ts'
import { folder, hindrance, me, ordinary, run, shell, type User, users } from './support.ts'

const BUSYBOX = ['/bin/busybox', '/usr/bin/busybox'].find(
  path => existsSync(path) && interpreter(path) === null,
)
/** What makes an image the fastest: one file where there is a static busybox, else the host's programs with their libraries. */
const QUICK = BUSYBOX ? [BUSYBOX] : []
const NO_BUSYBOX = 'there is no static busybox: apt-get install busybox-static'

const layerOf = ({ layers: [diffId = ''] }: Image, data: string) => `${data}/layers/${diffId.slice(7, 19)}`
const build = (user: User, data: string, busybox?: string[]) =>
  run<Image>(user, `return lib.buildDefaultImage(${JSON.stringify(busybox)})`, { data })
/** Whether a user of this machine may map a group by newgidmap(1): subgid(5), `name:first:count`. */
const mayBeTaken = (gid: number) =>
  readFileSync('/etc/subgid', 'utf8')
    .split('\n')
    .map(line => line.split(':').map(Number))
    .some(([, first = NaN, count = NaN]) => first <= gid && gid < first + count)
/** chroot(2), for an ordinary user in a user namespace. */
const inside = (user: User, root: string, command: string) =>
  shell(
    user,
    `exec /usr/sbin/chroot ${root} /bin/sh -c '${command}'`,
    user.uid === 0 ? [] : ['unshare', '-r'],
  )

describe.each(users)('as %s', (_name, user) => {
  test("from the host's own programs: they run in it, with the libraries that they need", context => {
    const reason = hindrance(user, user.uid === 0 ? [] : ['unshare', '-r'])
    context.skip(!!reason, reason)
    const data = join(folder(user), 'data')
    const image = build(user, data, [])
    const layer = layerOf(image, data)
    const root = `${layer}/diff`

    // every program of it, asked to start without input: 127 where the loader misses a library
    const programs = [...new Set(['bin', 'sbin'].flatMap(bin => readdirSync(`${root}/${bin}`)))]
    expect(programs).toEqual(expect.arrayContaining(['sh', 'ls', 'cat', 'env', 'id']))
    const start = '$p --version < /etc/resolv.conf > /tmp/said 2>&1'
    const failed = inside(
      user,
      root,
      `for p in /bin/* /sbin/*; do ${start} || [ $? != 127 ] || echo $p; done; rm /tmp/said`,
    )
    expect(failed).toBe('')
    expect(inside(user, root, 'id -un; /usr/bin/env echo ok; ls -d /bin/sh; cat /etc/os-release')).toMatch(
      /^root\nok\n\/bin\/sh\nNAME=minilab\n/,
    )
    // links that lead around on the host do so in it
    for (const path of ['/bin', '/bin/sh', '/lib64'])
      if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink())
        expect(lstatSync(root + path).isSymbolicLink(), path).toBe(true)
  })

  test("what it holds: a skeleton, the user's own, no setuid", context => {
    const reason = hindrance(user)
    context.skip(!!reason, reason)
    const data = join(folder(user), 'data')
    const image = build(user, data, [])
    const layer = layerOf(image, data)
    const { entries } = run<{ entries: TreeEntry[] }>(user, `return lib.treeDigest('${layer}/diff')`)
    const modes = Object.fromEntries(entries.map(({ path, mode }) => [path, mode]))
    expect(modes).toMatchObject({
      '': '0755',
      proc: '0555',
      sys: '0555',
      dev: '0755',
      tmp: '01777',
      'var/tmp': '01777',
      root: '0700',
      run: '0755',
      mnt: '0755',
      home: '0755',
      'etc/passwd': '0644',
      'etc/resolv.conf': '0644',
      'etc/hosts': '0644',
    })
    expect(entries.filter(({ uid, gid }) => uid !== user.uid || gid !== user.gid)).toEqual([])
    expect(entries.filter(({ type, mode }) => type === 'file' && parseInt(mode, 8) & 0o6000)).toEqual([])
    expect(entries.filter(({ type }) => /device|fifo/.test(type))).toEqual([])
    const { mode, gid } = statSync(`${data}/layers`)
    expect(mode & 0o777).toBe(0o710) // a stranger's image may have setuid files
    if (user.uid === 0) expect([gid, mayBeTaken(gid)]).toEqual([LAYERS_GROUP, false])
    for (const path of [data, layer, `${layer}/diff`]) expect(statSync(path).mode & 0o777, path).toBe(0o755)
    // copies: whoever writes in the layer does not write in the host's programs
    expect(statSync(`${layer}/diff/bin/ls`).ino).not.toBe(statSync('/bin/ls').ino)
    expect(readFileSync(`${layer}/diff/bin/ls`).equals(readFileSync('/bin/ls'))).toBe(true)
  })

  test('the layer is named by what its tar would be', context => {
    const reason = hindrance(user)
    context.skip(!!reason, reason)
    const dir = folder(user)
    const data = join(dir, 'data')
    const image = build(user, data, [])
    const layer = layerOf(image, data)
    run(user, `return lib.packLayer('${layer}/diff', '${dir}/layer.tar', { overlay: false })`)
    const digest = shell(me, `sha256sum < ${dir}/layer.tar`).split(' ')[0]
    expect(image.layers).toEqual([`sha256:${digest}`])
    expect(JSON.parse(readFileSync(`${layer}/layer.json`, 'utf8'))).toMatchObject({
      diffId: `sha256:${digest}`,
    })
    // made again elsewhere, it is the same
    const again = folder(user)
    expect(build(user, again, []).layers).toEqual(image.layers)
  })
})

test('from a static busybox, with a link for each applet', context => {
  context.skip(!BUSYBOX, NO_BUSYBOX)
  const data = folder()
  const image = build(me, data, [BUSYBOX!])
  const root = `${layerOf(image, data)}/diff`
  const applets = shell(me, `${BUSYBOX} --list`).trim().split('\n')
  expect(readdirSync(`${root}/bin`).sort()).toEqual([...new Set([...applets, 'busybox'])].sort())
  expect(readFileSync(`${root}/bin/busybox`).equals(readFileSync(BUSYBOX!))).toBe(true)
  const reason = me.uid === 0 ? undefined : hindrance(me, ['unshare', '-r'])
  context.skip(!!reason, reason)
  expect(inside(me, root, 'id -u; /usr/bin/env ls -d /sbin/ip; readlink /bin/ls')).toBe(
    '0\n/sbin/ip\nbusybox\n',
  )
})

test('a busybox that needs libraries is not taken', () => {
  const data = folder()
  const image = build(me, data, ['/bin/ls'])
  expect(readdirSync(`${layerOf(image, data)}/diff/bin`)).not.toContain('busybox')
})

test('which loader a program asks for', () => {
  // the kernel maps it: the judge
  const maps = shell(me, 'cat /proc/self/maps')
  const loader = interpreter('/bin/cat')
  if (loader === null) expect(maps).not.toMatch(/ld-/)
  else expect(maps).toContain(shell(me, `realpath ${loader}`).trim())
  expect(interpreter('/etc/passwd')).toBeUndefined()
})

test('it is made once, and again when a program of the host has changed', () => {
  const data = folder()
  const first = build(me, data, QUICK)
  expect(build(me, data, QUICK)).toEqual(first)
  const file = `${data}/images/default/image.json`
  const change = (sources: Record<string, string>) =>
    writeFileSync(file, JSON.stringify({ ...first, created: 'then', sources }))
  change({ ...first.sources })
  expect(build(me, data, QUICK).created).toBe('then')
  // as if a program had another size then; as if it had been missing; as if another minilab had made it
  const program = BUSYBOX ?? '/usr/bin/ls'
  for (const [source, print] of [
    [program, '1 1'],
    [program, ''],
    ['recipe', 'old'],
  ] as const) {
    change({ ...first.sources, [source]: print })
    const again = build(me, data, QUICK)
    expect(again.created).not.toBe('then')
    expect(again).toMatchObject({ layers: first.layers, sources: first.sources })
  }
  // and when its layer is gone
  change({ ...first.sources })
  shell(me, `rm -r ${data}/layers`)
  expect(build(me, data, QUICK).created).not.toBe('then')
  expect(existsSync(`${layerOf(first, data)}/diff/bin/ls`)).toBe(true)
})

test('several processes at once all get it, and nothing else is left', async () => {
  const data = folder()
  const script = `
    const { spawn } = await import('node:child_process')
    const one = () => new Promise(done => {
      const code = "const { buildDefaultImage } = await import('${join(import.meta.dirname, '../../lib/image/default.ts')}');"
        + "console.log(JSON.stringify((await buildDefaultImage(${JSON.stringify(QUICK).replaceAll('"', "'")})).layers))"
      const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
      let said = ''
      child.stdout.on('data', chunk => (said += chunk))
      child.on('close', status => done({ status, said }))
    })
    return Promise.all([one(), one(), one(), one()])`
  const results = run<{ status: number; said: string }[]>(me, script, { data })
  expect(results.map(({ status }) => status)).toEqual([0, 0, 0, 0])
  expect(new Set(results.map(({ said }) => said)).size).toBe(1)
  expect(readdirSync(`${data}/layers`).length).toBe(1)
  expect(readdirSync(`${data}/tmp`)).toEqual([])
})

test('what a killed build has left is removed by the next', () => {
  const data = folder()
  const killed = shell(me, 'echo $$').trim()
  shell(
    me,
    `mkdir -p ${data}/tmp/${killed}-Ab12Cd/diff/bin ${data}/tmp/${process.pid}-alive; chmod 0 ${data}/tmp/${killed}-Ab12Cd/diff`,
  )
  build(me, data, QUICK)
  expect(readdirSync(`${data}/tmp`)).toEqual([`${process.pid}-alive`])
})

describe('what the machine lacks is a typed error, and nothing is left', () => {
  const unshare = me.uid === 0 ? ['unshare', '-m'] : ['unshare', '-rm']

  test('neither busybox nor programs', context => {
    const reason = hindrance(me, unshare)
    context.skip(!!reason, reason)
    context.skip(
      !lstatSync('/bin').isSymbolicLink(),
      'on a host whose /bin is no link, hiding it takes more than one mount',
    )
    const data = folder()
    // the shell still runs when its file is hidden
    const hide = 'mount -t tmpfs none /usr/sbin; exec 3</; mount -t tmpfs none /usr/bin; exec "$0" "$@"'
    const refused = run(me, `return lib.buildDefaultImage([])`, {
      data,
      wrapper: [...unshare, '/bin/sh', '-ec', hide],
    })
    expect(refused).toMatchObject({
      error: 'machine',
      remedy: expect.stringContaining('busybox-static'),
    })
    expect(readdirSync(data)).toEqual([])
  })

  test('room', context => {
    const reason = hindrance(me, unshare)
    context.skip(!!reason, reason)
    const data = folder()
    const small = `mount -t tmpfs -o size=2m none ${data}; exec "$0" "$@"`
    const { error, left } = run<Record<'error' | 'left', unknown>>(
      me,
      `const error = await lib.buildDefaultImage([]).catch(({ kind, message, remedy }) => ({ kind, message, remedy }))
       return { error, left: fs.readdirSync('${data}', { recursive: true }).sort() }`,
      { data, wrapper: [...unshare, '/bin/sh', '-ec', small] },
    )
    expect(error).toMatchObject({
      kind: 'machine',
      message: expect.stringContaining('ENOSPC'),
      remedy: expect.stringContaining('MINILAB_DATA'),
    })
    expect(left).toEqual(['layers', 'tmp'])
  })

  test('the right to write', context => {
    const reason = hindrance(ordinary)
    context.skip(!!reason, reason)
    // mkdir(2) says ENOENT under /proc, though nothing is missing there
    expect(run(ordinary, `return lib.buildDefaultImage([])`, { data: '/proc/minilab' })).toMatchObject({
      error: 'usage',
      message: expect.stringContaining('/proc/minilab'),
    })
    const closed = folder(me)
    context.skip(me.uid !== 0, 'root can make a folder that the user may not write to')
    expect(run(ordinary, `return lib.buildDefaultImage([])`, { data: join(closed, 'data') })).toMatchObject({
      error: 'machine',
      message: expect.stringContaining('EACCES'),
      remedy: expect.stringContaining('MINILAB_DATA'),
    })
  })
})
