// What users of docker and runc expect of `run` and `exec`, and public bug reports of such tools have shown to matter.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { hierarchies } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { isAlive } from '../../lib/kernel/process/procfs.ts'
import { runMany } from '../support/many-runs.ts'
import {
  isRoot,
  runMinilab,
  sharedData,
  userData,
  userFolder,
  type UserName,
  users,
} from '../support/minilab.ts'
import { noStrace } from '../support/strace.ts'

const shared = sharedData()
const ALONE = ['--rm', '--network', 'none']
const ENTRY = join(import.meta.dirname, '../../bin.mjs')
const busybox = execFileSync('sh', ['-c', 'command -v busybox || true'], { encoding: 'utf8' }).trim()
const noBusybox = busybox ? '' : ' (no busybox to make a root file system of)'

/** A root file system with accounts, groups and links. */
function rootfs(user: UserName): string {
  const folder = join(userFolder(user), 'rootfs')
  const script = `mkdir -p $0/bin $0/etc $0/root $0/home/app $0/proc $0/sys $0/dev $0/tmp $0/real $0/var; cp ${busybox} $0/bin/busybox
    for name in $(${busybox} --list); do [ $name = busybox ] || ln -s busybox $0/bin/$name; done
    printf 'root:x:0:0::/root:/bin/sh\\napp:x:1000:1000::/home/app:/bin/sh\\n1000:x:2222:2222::/elsewhere:/bin/sh\\n' > $0/etc/passwd
    printf 'root:x:0:\\nwheel:x:10:app,root\\napp:x:1000:\\nextra:x:2000:app\\n' > $0/etc/group
    chmod 700 $0/root; ln -s /real $0/link; ln -s /run $0/var/run`
  execFileSync('sh', ['-ec', script, folder])
  if (isRoot && user === 'ordinary') execFileSync('chown', ['-Rh', '65534:65534', folder])
  return folder
}

/** One `run` for each list of flags and script, in one process. */
async function runs(
  user: UserName,
  image: string,
  cases: [flags: string[], script: string][],
  umask = 0o022,
) {
  const before = process.umask(umask)
  try {
    return await runMany(
      cases.map(([flags, script]) => ['run', ...ALONE, ...flags, image, 'sh', '-c', script]),
      { user, data: shared[user] },
    )
  } finally {
    process.umask(before)
  }
}
const outputs = (answers: { stdout: string; stderr: string }[]) =>
  answers.map(({ stdout, stderr }) => (stdout + stderr).trimEnd())

describe.skipIf(noBusybox).each(users)(`places and people, as %s${noBusybox}`, user => {
  // without root a container has one user only
  const isUsers = user === 'root' ? test : undefined
  isUsers?.("home and groups are those of the image's files", async () => {
    const image = rootfs(user)
    const answers = await runs(user, image, [
      [['-u', 'app'], 'echo $HOME $(id -G)'],
      [['-u', '1000'], 'echo $HOME $(id -u) $(id -G)'], // an account of that name is another one
      [['-u', '1234'], 'echo $HOME $(id -G)'],
      [[], 'echo $HOME $(id -G)'],
      [['-u', 'app:extra'], 'id -G'],
      [['-u', ':5'], 'id -u; id -G'],
      [['-u', '00'], 'echo $HOME'],
      [['-u', 'app', '-e', 'HOME=/x'], 'echo $HOME'],
      [['-u', 'app', '-w', '/root'], 'pwd; ls /root 2>&1 | grep -o denied'],
    ])
    expect(outputs(answers)).toEqual([
      '/home/app 1000 10 2000',
      '/home/app 1000 1000 10 2000',
      '/ 0',
      '/root 0 10',
      '2000',
      '0\n5',
      '/root',
      '/x',
      '/root\ndenied',
    ])
  })

  test('the umask is 0022, a working directory is made, volumes lie where links lead', async () => {
    const image = rootfs(user)
    const volume = join(userFolder(user), 'volume')
    execFileSync('mkdir', ['-m', '777', volume]) // root makes it, and an ordinary user's container a directory in it
    writeFileSync(join(volume, 'f'), 'lent\n')
    const outer = join(userFolder(user), 'outer')
    execFileSync('sh', [
      '-c',
      'mkdir -p $0/run/in; echo "the volume\'s" >$0/run/f; ln -s /real $0/link',
      outer,
    ])
    const answers = await runs(
      user,
      image,
      [
        [['-v', `${volume}:/made/place`], 'umask; stat -c %a /made'],
        [['-w', '/new/place'], 'pwd; stat -c %a /new'],
        [['-v', `${volume}:/link`], 'cat /real/f'],
        [['-v', `${volume}:/var/run/x`], 'cat /run/x/f'],
        [['-v', `${volume}:/a/b`, '-v', `${volume}:/a`], 'ls -d /a/f /a/b/f 2>&1 | wc -l'],
        // /link of the image leads to /real; that of a volume is a directory, and a volume in it lies in that
        [['-v', `${outer}:/var`, '-w', '/var/run'], 'pwd; cat f'],
        [
          ['-v', `${volume}:/var/run/in`, '-v', `${outer}:/var`],
          'cat /var/run/in/f; ls -d /run/in 2>/dev/null || echo only there',
        ],
        [['-v', `${outer}:/var`, '-v', `${volume}:/var/link`], 'cat /real/f; readlink /var/link'],
      ],
      0o077,
    )
    expect(outputs(answers)).toEqual([
      '0022\n755',
      '/new/place\n755',
      'lent',
      'lent',
      '2',
      "/var/run\nthe volume's",
      'lent\nonly there',
      'lent\n/real',
    ])
  })

  test('sizes and shares, also as Kubernetes writes them; what fails is 125, 126 or 127', async () => {
    const refused = (...flags: string[]) => ['run', ...ALONE, ...flags, 'default', 'true']
    const answers = await runMany(
      [
        refused('-m', '1Mi'),
        refused('-m', 'x'),
        refused('--cpus', '1g'),
        ['run', ...ALONE, 'default', '/etc'],
        ['run', ...ALONE, 'default', 'nothing'],
        ['exec', 'nobody', 'true'],
        ['run', '--no-such-flag', 'default'],
        ['rm', 'nobody'],
      ],
      { user, data: shared[user] },
    )
    expect(answers.map(({ status }) => status)).toEqual([125, 125, 125, 126, 127, 125, 125, 2])
  })

  test("hosts, hostname, resolv.conf; its own cgroups, read-only; the network's settings", async () => {
    const script = `tail -n 1 /etc/hosts; cat /etc/hostname; grep -c . /etc/resolv.conf; touch /sys/fs/cgroup/x 2>&1 | grep -o Read-only
      cat /proc/sys/net/ipv4/ip_unprivileged_port_start; stat -c %g /dev/pts/ptmx; grep -c '[^/]$' /proc/self/cgroup`
    const { stdout, stderr } = await runMinilab(
      ['run', '--rm', '--hostname', 'box.test', 'default', 'sh', '-c', script],
      { user, data: shared[user] },
    )
    expect(stderr).toBe('')
    const [hosts, hostname, , readOnly, port] = stdout.split('\n')
    expect(hosts).toMatch(/^\d+\.\d+\.\d+\.\d+\tbox\.test box$/)
    expect([hostname, readOnly, port]).toEqual(['box.test', 'Read-only', '0'])
    // in a cgroup namespace every line of /proc/self/cgroup ends in its root
    if (user === 'root') expect(stdout.trimEnd().split('\n').at(-1)).toBe('0')
  })
})

test.skipIf(!isRoot)('it is in a cgroup of its own in every hierarchy (root makes them)', async () => {
  const data = userData('root')
  const minilab = (...args: string[]) => runMinilab(args, { user: 'root', data })
  onTestFinished(async () => void (await minilab('rm', '-f', 'joined')))
  await minilab(
    'run',
    '-d',
    '--name',
    'joined',
    '--network',
    'none',
    '-m',
    '128Mi',
    '--cpus',
    '250m',
    'default',
    'sleep',
    '1000',
  )
  const [{ pid, id }] = JSON.parse((await minilab('ps', '--json')).stdout) as [{ pid: number; id: string }]
  const own = hierarchies(pid)
  expect(own.map(({ own }) => own.endsWith(`/minilab/${id}`))).toEqual(own.map(() => true))
  const { stdout } = await minilab(
    'exec',
    'joined',
    'sh',
    '-c',
    'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null',
  )
  expect(stdout.trim()).toBe(String(128 * 2 ** 20))
})

describe.each(users)('exec, as %s', user => {
  test('short programs, whatever their output goes to; umask, signals, rights, and words of one that has ended', async () => {
    const data = userData(user)
    const minilab = (...args: string[]) => runMinilab(args, { user, data })
    onTestFinished(async () => void (await minilab('rm', '-f', 'box')))
    await minilab(
      'run',
      '-d',
      '--name',
      'box',
      ...(isRoot && user === 'root' ? ['-u', '1000'] : []),
      '--network',
      'none',
      'default',
      'sleep',
      '1000',
    )
    const command = `${process.execPath} -- ${ENTRY} exec box`
    const script = `umask 077; for i in 1 2 3 4 5; do ${command} sh -c umask >$0/out 2>$0/err; echo $? $(cat $0/out $0/err); done`
    const asUser = isRoot && user === 'ordinary' ? { uid: 65534, gid: 65534 } : {}
    const env = { ...process.env, MINILAB_DATA: data, HOME: data }
    const short = execFileSync('sh', ['-c', script, userFolder(user)], { encoding: 'utf8', env, ...asUser })
    expect(short).toBe('0 0022\n'.repeat(5))
    expect((await minilab('exec', 'box', 'sh', '-c', 'kill -34 $$')).status).toBe(128 + 34)
    expect((await minilab('exec', 'box', 'sh', '-c', 'kill -ALRM $$')).status).toBe(128 + 14)
    const root = await minilab(
      'exec',
      '-u',
      '0',
      'box',
      'sh',
      '-c',
      'echo $HOME; grep CapEff /proc/self/status',
    )
    expect(root.stdout).toBe('/root\nCapEff:\t00000000a80425fb\n')
    // as Docker: a HOME that `run -e` has set stays for every user, also where it is the same as the user's own
    onTestFinished(async () => void (await minilab('rm', '-f', 'housed')))
    await minilab(...'run -d --name housed -e HOME=/root --network none default sleep 1000'.split(' '))
    const other = isRoot && user === 'root' ? 'nobody' : '0'
    expect((await minilab('exec', '-u', other, 'housed', 'sh', '-c', 'echo $HOME')).stdout).toBe('/root\n')
    const main = await minilab('exec', 'box', 'id', '-u')
    expect((await minilab('exec', '-u', '', 'box', 'id', '-u')).stdout).toBe(main.stdout)
    const closing = `${command.replace('exec', 'exec -t')} sh -c 'exec <&- >&- 2>&-; sleep 0.3; exit 7'`
    const ended = spawnSync('script', ['-qec', closing, '/dev/null'], { input: '', env, ...asUser })
    expect(ended.status).toBe(7)
    const gone = await minilab('rm', '-f', 'nobody', 'box')
    expect(gone).toMatchObject({ stdout: 'box\n', status: 2 })
    expect(gone.stderr).toMatch(/^minilab: there is no container "nobody": [^\n]+\n$/)
  })

  test('with -t where a volume covers the devpts; run with -u ""', async () => {
    const data = userData(user)
    const minilab = (...args: string[]) => runMinilab(args, { user, data })
    onTestFinished(async () => void (await minilab('rm', '-f', 'covered')))
    const options = [
      '-d',
      '--name',
      'covered',
      '--network',
      'none',
      '-u',
      '',
      '-v',
      `${userFolder(user)}:/dev/pts`,
    ]
    expect(await minilab('run', ...options, 'default', 'sleep', '1000')).toMatchObject({ status: 0 })
    expect((await minilab('exec', 'covered', 'id', '-u')).stdout).toBe('0\n')
    expect(await minilab('exec', '-t', 'covered', 'true')).toMatchObject({
      status: 125,
      stderr: 'minilab: /dev/pts/ptmx of the container is not a terminal multiplexer: leave out -t\n',
    })
  })

  test.skipIf(noStrace)(
    `nobody joins a container that has not started yet: it would be in the host's root${noStrace}`,
    async () => {
      const data = userData(user)
      // the parent is held up before it lets the child go on
      const wrapper = ['strace', '-f', '-o', '/dev/null', '-e', 'trace=sendto']
      wrapper.push('-e', 'inject=sendto:delay_enter=1s:when=1')
      const words = ['run', '--rm', '--name', 'early', '--network', 'none', 'default', 'sh', '-c']
      const script = 'until test -e /go; do sleep 0.05; done'
      let running = true
      const started = runMinilab([...words, script], { user, data, wrapper }).finally(() => (running = false))
      const seen = new Set<string>()
      while (running && !seen.has('0 its own root')) {
        const { status, stdout } = await runMinilab(['exec', 'early', 'cat', '/etc/os-release'], {
          user,
          data,
        })
        seen.add(`${status} ${stdout.includes('ID=minilab') ? 'its own root' : stdout}`)
      }
      await runMinilab(['exec', 'early', 'touch', '/go'], { user, data })
      expect((await started).status).toBe(0)
      expect([...seen].filter(answer => answer !== '0 its own root' && answer !== '125 ')).toEqual([])
    },
  )
})

describe('state', () => {
  test('three rm -f of one container at once: it is gone, and nothing is left', async () => {
    const data = userData()
    const words = 'run -d --name same --network none default sleep 1000'.split(' ')
    expect(await runMinilab(words, { data })).toMatchObject({ status: 0, stderr: '' })
    const rms = await Promise.all([1, 2, 3].map(async () => runMinilab(['rm', '-f', 'same'], { data })))
    // one that comes when it is gone says so
    for (const { status, stdout, stderr } of rms)
      expect([status, stdout, stderr]).toEqual(
        status === 0 ? [0, 'same\n', ''] : [2, '', expect.stringContaining('there is no container "same"')],
      )
    expect(rms.some(({ status }) => status === 0)).toBe(true)
    for (const folder of ['ledger', 'containers']) expect(readdirSync(join(data, folder))).toEqual([])
  })

  test('of eight that want one name at once, one has it', async () => {
    const data = userData()
    const minilab = (...args: string[]) => runMinilab(args, { data })
    onTestFinished(async () => void (await minilab('rm', '-f', 'same')))
    const started = await Promise.all(
      Array.from({ length: 8 }, () =>
        minilab('run', '-d', '--network', 'none', '--name', 'same', 'default', 'sleep', '1000'),
      ),
    )
    expect(started.filter(({ status }) => status === 0)).toHaveLength(1)
    for (const { status, stderr } of started)
      if (status !== 0) expect(stderr).toMatch(/^minilab: the name "same" is taken by [^\n]+\n$/)
    expect(JSON.parse((await minilab('ps', '--json')).stdout)).toHaveLength(1)
  })

  test('a data folder that others may write to, or own, is refused', async () => {
    const folder = userFolder()
    const data = join(folder, 'data')
    mkdirSync(data)
    const answers = async () => {
      const { status, stderr } = await runMinilab(['ps'], { data, alone: true })
      return [status, stderr.includes('cannot be trusted')]
    }
    expect(await answers()).toEqual([0, false])
    chmodSync(data, 0o777)
    expect(await answers()).toEqual([3, true])
    chmodSync(data, 0o1777) // as /tmp
    expect(await answers()).toEqual([0, false])
    if (!isRoot) return
    mkdirSync(join(data, 'ledger'))
    execFileSync('chown', ['65534', join(data, 'ledger')])
    expect(await answers()).toEqual([3, true])
    chmodSync(data, 0o755)
    execFileSync('chown', ['65534', data])
    expect(await answers()).toEqual([3, true])
  })

  test.skipIf(!isRoot)(
    'a full disk at its end loses neither the container nor its exit status (mounting needs root)',
    async () => {
      const data = userData('root')
      const script = `mount -t tmpfs -o size=24m,mode=755 none $0; cp -a $1/. $0; export MINILAB_DATA=$0
      "$@" run -d --network none --name full default sh -c 'echo precious > /data; cat /dev/zero > /big 2>/dev/null; exit 7' >/dev/null
      "$@" logs -f full >/dev/null; "$@" ps -a --json; cat $0/containers/*/upper/data`
      const place = userFolder('root')
      const said = execFileSync(
        'unshare',
        [
          '-m',
          '--propagation',
          'private',
          'sh',
          '-ec',
          script.replaceAll('"$@"', `${process.execPath} -- ${ENTRY}`),
          place,
          data,
        ],
        { encoding: 'utf8', env: { ...process.env, HOME: data } },
      )
      expect(said).toContain('"status":"exited (7)"')
      expect(said).toContain('precious')
    },
  )

  test('a container that does not die with its keeper is ended by the next command', async () => {
    const data = userData()
    const minilab = (...args: string[]) => runMinilab(args, { data })
    onTestFinished(async () => void (await minilab('rm', '-f', 'survivor')))
    // PR_SET_PDEATHSIG: cleared by executing a set-user-ID program, or, as here, by a change of credentials
    const id = (
      await minilab('run', '-d', '--network', 'none', '--name', 'survivor', 'default', 'sleep', '1000')
    ).stdout.trim()
    const { pid, started, keeper } = JSON.parse(
      readFileSync(join(data, 'containers', id, 'state.json'), 'utf8'),
    ) as {
      pid: number
      started: number
      keeper: { pid: number; started: number }
    }
    const ledgers = readdirSync(join(data, 'ledger')).map(name =>
      readFileSync(join(data, 'ledger', name), 'utf8'),
    )
    expect(ledgers.join('').trimEnd().split('\n').at(-1)).toBe(
      JSON.stringify({ kind: 'process', pid, started }),
    )
    process.kill(keeper.pid, 'SIGKILL')
    await expect.poll(() => isAlive(keeper.pid, keeper.started)).toBe(false) // it takes a moment to die
    await minilab('run', ...ALONE, 'default', 'true')
    expect(isAlive(pid, started)).toBe(false)
    expect(readdirSync(join(data, 'ledger'))).toEqual([])
  })

  test('a client that says nothing does not keep `run -p` from ending', async () => {
    const data = userData()
    const port = 20000 + (process.pid % 20000)
    const child = spawn(
      process.execPath,
      ['--', ENTRY, 'run', '--rm', '-p', `127.0.0.1:${port}:80`, 'default', 'sh', '-c', 'echo up; sleep 1'],
      { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, MINILAB_DATA: data, HOME: data } },
    )
    const exited = once(child, 'exit') as Promise<[number | null]>
    await once(child.stdout!, 'data')
    const client = createConnection(port, '127.0.0.1')
    client.on('error', () => {})
    await once(client, 'connect')
    expect(await exited).toEqual([0, null])
    client.destroy()
  })

  test('a layer that has lost its layer.json is made again', async () => {
    const data = userData()
    const layers = join(data, 'layers')
    const [layer = ''] = readdirSync(layers)
    execFileSync('rm', [join(layers, layer, 'layer.json')])
    expect(await runMinilab(['run', ...ALONE, 'default', 'true'], { data })).toMatchObject({
      status: 0,
      stderr: '',
    })
    expect(existsSync(join(layers, layer, 'layer.json'))).toBe(true)
  })
})
