import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { snapshot } from '../support/canary.ts'
import { isRefusal, runMany } from '../support/many-runs.ts'
import { isRoot, runMinilab, userFolder, type UserName, users, sharedData } from '../support/minilab.ts'

// What runc and containerd learned the hard way, as far as it concerns a runtime like ours. Links of an image that lead
// out (CVE-2019-16884, -19921, 2021-30465, 2023-27561, 2024-21626) are tried one by one in hostile-root.test.ts.

const data = sharedData()

/** A folder of the user's, with a canary in it, and one that containers share. */
function surroundings(user: UserName) {
  const folder = userFolder(user)
  const [outside, shared] = ['outside', 'shared'].map(name => join(folder, name)) as [string, string]
  for (const path of [outside, shared]) mkdirSync(path)
  writeFileSync(join(outside, 'secret'), 'alive')
  if (isRoot && user === 'ordinary') execFileSync('chown', ['-R', '65534:65534', folder])
  return { folder, data: data[user], outside, shared, before: snapshot(outside) }
}

const run = (flags: string[], script: string) => ['run', '--rm', ...flags, 'default', 'sh', '-c', script]
const ALONE = ['--network', 'none']

describe.each(users)('as %s', user => {
  test('CVE-2022-29162: no capability is inheritable, in no set of one who is not root', async () => {
    const { data } = surroundings(user)
    const sets = 'grep -E "^Cap(Inh|Amb)" /proc/self/status | cut -f2'
    const answers = await runMany(
      [
        run(ALONE, sets),
        run([...ALONE, '--cap-add', 'ALL'], sets),
        run([...ALONE, '--cap-drop', 'ALL'], sets),
      ],
      { user, data },
    )
    for (const answer of answers)
      expect(answer).toMatchObject({ status: 0, stdout: '0000000000000000\n'.repeat(2) })
  })

  test('CVE-2020-15257: abstract sockets of the host are not to be reached', async () => {
    const { data } = surroundings(user)
    const name = `minilab-test-${process.pid}`
    let visits = 0
    const server = createServer(socket => (visits++, socket.destroy())).listen(`\0${name}`)
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    expect(readFileSync('/proc/net/unix', 'utf8')).toContain(`@${name}`)
    const look = `grep -c ${name} /proc/net/unix`
    const answers = await runMany([run(ALONE, look), run([], look)], { user, data })
    for (const answer of answers) expect(answer).toMatchObject({ status: 1, stdout: '0\n' })
    expect(visits).toBe(0)
  })

  test('CVE-2024-21626: exec, with a directory of the host left open by whoever called us', async () => {
    const { data, outside, before } = surroundings(user)
    const minilab = (...args: string[]) => runMinilab(args, { user, data })
    onTestFinished(async () => void (await minilab('rm', '-f', 'box')))
    expect(await minilab('run', '-d', ...ALONE, '--name', 'box', 'default', 'sleep', '1000')).toMatchObject({
      status: 0,
    })
    const fd = openSync(outside, 'r')
    const into = (...args: string[]) => ['exec', ...args, 'sh', '-c', 'pwd; ls; echo stolen > secret']
    const places = [3, 4, 5, 6, 7].flatMap(n => [
      `/proc/self/fd/${n}`,
      `/proc/self/fd/${n}/..`,
      `/proc/1/fd/${n}`,
    ])
    const answers = await runMany(
      [
        ...places.map(place => into('-w', place, 'box')),
        ['exec', 'box', 'sh', '-c', 'ls /proc/self/fd | wc -l'],
        ['exec', 'box', 'grep', '-E', '^CapInh', '/proc/self/status'],
      ],
      { user, data },
      { open: [fd, fd, fd, fd, fd] },
    )
    closeSync(fd)
    for (const answer of answers.slice(0, -2)) {
      expect(answer).toMatchObject({ status: 125, stdout: '' })
      expect(isRefusal(answer)).toBe(true)
    }
    // 0, 1, 2, and the one by which ls reads the directory
    expect(answers.at(-2)).toMatchObject({ status: 0, stdout: '4\n' })
    expect(answers.at(-1)!.stdout).toMatch(/^CapInh:\s+0{16}$/m)
    expect(snapshot(outside)).toEqual(before)
  })

  test('CVE-2021-30465: a place to mount on that another container keeps exchanging for a link', async () => {
    const { data, outside, shared, before } = surroundings(user)
    const minilab = (...args: string[]) => runMinilab(args, { user, data })
    onTestFinished(async () => void (await minilab('rm', '-f', 'racer')))
    const race = `cd /shared; mkdir -p real/down; ln -s ../../../../../..${outside} link
      while :; do mv real place; mv place real; mv link place; mv place link; done`
    const racer = [
      'run',
      '-d',
      ...ALONE,
      '--name',
      'racer',
      '-v',
      `${shared}:/shared`,
      'default',
      'sh',
      '-c',
      race,
    ]
    expect(await minilab(...racer)).toMatchObject({ status: 0, stderr: '' })
    const victim = run(
      [...ALONE, '-v', `${shared}:/shared`, '-v', `${outside}:/shared/place/down/here:ro`],
      'true',
    )
    const answers = await runMany(Array<string[]>(15).fill(victim), { user, data })
    expect(answers.filter(answer => answer.status !== 0 && !isRefusal(answer))).toEqual([])
    expect(snapshot(outside)).toEqual(before)
  })

  test('CVE-2019-16884: a volume whose place a link of the image puts over /proc reaches nothing', async () => {
    const { data, shared, outside, before } = surroundings(user)
    const rootfs = userFolder(user)
    const busybox = execFileSync('sh', ['-c', 'command -v busybox || true'], { encoding: 'utf8' }).trim()
    const own = isRoot && user === 'ordinary' ? `chown -Rh 65534:65534 ${rootfs}` : ':'
    const make = `cd ${rootfs}; mkdir bin proc sys dev tmp; cp ${busybox} bin/sh; ln -s /proc over; ln -s /dev/null none; ${own}`
    execFileSync('sh', ['-ec', make])
    const flags = [
      '-v',
      `${shared}:/over`,
      '-v',
      `${outside}:/over/self:ro`,
      '-v',
      `${outside}/secret:/none:ro`,
    ]
    const [answer] = await runMany([['run', '--rm', ...ALONE, ...flags, rootfs, '/bin/sh', '-c', 'true']], {
      user,
      data,
    })
    expect(answer!.status === 0 || isRefusal(answer!)).toBe(true)
    expect(snapshot(outside)).toEqual(before)
  })
})

test.skipIf(!isRoot)(
  'a device file of a root file system opens nothing (only root can make one)',
  async () => {
    const { folder, data } = surroundings('root')
    const [rootfs, make] = [
      join(folder, 'rootfs'),
      'mkdir $0; cd $0; mkdir bin proc sys dev; cp $(command -v busybox) bin/sh',
    ]
    execFileSync('sh', ['-ec', `${make}; mknod -m 666 zero c 1 5`, rootfs])
    const read = ['/bin/sh', '-c', 'read -n 1 x < /zero && echo open; read -n 1 x < /dev/zero && echo open']
    const answers = await runMany(
      [[], ['--read-only']].map(flags => ['run', '--rm', ...ALONE, ...flags, rootfs, ...read]),
      { data },
    )
    for (const answer of answers) {
      expect(answer.stderr).toMatch(/^\S+: can't open \/zero: Permission denied\n$/)
      expect(answer.stdout.trim()).toBe('open')
    }
    expect(readdirSync(join(data, 'containers'))).toEqual([])
  },
)

// Root inside is root outside where ids are the same, and the devices are the host's own nodes.
test.runIf(isRoot)("root inside can use the host's devices, and not change who may", async () => {
  const node = join(userFolder(), 'null') // in the place of the machine's own, for these runs
  execFileSync('mknod', ['-m', '666', node, 'c', '1', '3'])
  const wrapper = ['unshare', '--mount', 'sh', '-c', `mount --bind ${node} /dev/null && exec "$@"`, 'sh']
  const script = 'echo into nothing >/dev/null && echo written; chmod 600 /dev/null; chown 5 /dev/null'
  const ran = await runMinilab(run(ALONE, script), { data: data.root, wrapper })
  expect(ran).toMatchObject({ status: 1, stdout: 'written\n' })
  expect(ran.stderr.match(/Read-only file system/g)).toHaveLength(2)
  const { mode, uid } = statSync(node)
  expect([mode & 0o777, uid]).toEqual([0o666, 0])
})
