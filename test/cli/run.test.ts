import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { namespaceInode, nsPids } from '../../lib/kernel/process/procfs.ts'
import { freePort } from '../support/free-port.ts'
import { isRoot, runMinilab, userFolder, users, userData, sharedData, few } from '../support/minilab.ts'

const shared = sharedData()

/** `minilab run --rm default sh -c SCRIPT` with flags. */
const sh = (user: 'root' | 'ordinary', flags: string[], script: string, data = shared[user]) =>
  runMinilab(['run', '--rm', ...flags, 'default', 'sh', '-c', script], { user, data })

interface Row {
  id: string
  name: string
  pid: number | null
  status: string
}

describe.each(users)('run as %s', user => {
  test('hands on output and exit status, and leaves nothing', async () => {
    const data = userData(user)
    const { stdout, status } = await sh(user, [], 'echo "$$ $(id -u)"; exit 7', data)
    expect(stdout).toBe('1 0\n')
    expect(status).toBe(7)
    expect(readdirSync(join(data, 'containers'))).toEqual([])
    expect(readdirSync(join(data, 'ledger'))).toEqual([])
  })

  test('a death by signal is 128 and the number', async () => {
    const { status } = await sh(user, [], 'sleep 100 & kill -KILL $!; wait $!')
    expect(status).toBe(137)
  })

  test('environment, working directory, host name', async () => {
    const flags = ['-e', 'A=b c', '-e', 'HOME=/x', '-w', '/tmp', '--hostname', 'box']
    const { stdout } = await sh(user, flags, 'echo "$A|$HOME|$(pwd)|$(uname -n)"')
    expect(stdout).toBe('b c|/x|/tmp|box\n')
  })

  test('as with Docker TERM is there for a terminal alone, and -e NAME takes away what the caller has not', async () => {
    const env = { TERM: 'vt100', GIVEN: 'here', HOSTNAME: undefined }
    const minilab = (words: string) =>
      runMinilab(words.split(' '), { user, data: shared[user], env }).then(({ stdout }) =>
        stdout.split(/\r?\n/).filter(line => /^(TERM|GIVEN|HOSTNAME)=/.test(line)),
      )
    const run = 'run --rm --network none -e GIVEN -e HOSTNAME'
    expect(await minilab(`${run} default env`)).toEqual(['GIVEN=here'])
    expect((await minilab(`${run} -t default env`)).toSorted()).toEqual(['GIVEN=here', 'TERM=vt100'])
    await minilab('run -d --name env --network none default sleep 1000')
    expect(await minilab('exec -e GIVEN -e HOSTNAME env env')).toEqual(['GIVEN=here'])
    expect(await minilab('exec -t -e HOSTNAME env env')).toEqual(['TERM=vt100'])
    await minilab('rm -f env')
  })

  test("its rights are Docker's, less and more by flags", async () => {
    const fields = 'grep -E "^(CapEff|CapBnd|NoNewPrivs|Seccomp):" /proc/self/status'
    const { stdout } = await sh(user, [], fields)
    expect(stdout.split(/\s+/).filter((_, i) => i % 2 === 1)).toEqual([
      '00000000a80425fb',
      '00000000a80425fb',
      '1',
      '2',
    ])
    const none = await sh(user, ['--cap-drop', 'ALL', '--cap-add', 'net_bind_service'], fields)
    expect(none.stdout).toMatch(/CapEff:\s+0000000000000400/)
  })

  test('no descriptor of ours is inside', async () => {
    const { stdout } = await sh(user, [], 'for fd in /proc/$$/fd/*; do [ -e $fd ] && echo ${fd##*/}; done')
    expect(stdout.split('\n').filter(fd => fd && Number(fd) < 10)).toEqual(['0', '1', '2'])
  })

  test('--read-only, -v and -v …:ro', async () => {
    const folder = userFolder(user)
    const write = '(echo x > /root/f) 2>&1; (echo y > /rw/f) 2>&1; (echo z > /ro/g) 2>&1; true'
    const flags = ['--read-only', '-v', `${folder}:/rw`, '-v', `${folder}:/ro:ro`]
    // mount places in a read-only root: the image has none for /rw, so they are made before it is closed
    const { stdout } = await sh(user, flags, write)
    expect(stdout.match(/Read-only file system/g)).toHaveLength(2)
    expect(readFileSync(join(folder, 'f'), 'utf8')).toBe('y\n')
    expect(readdirSync(folder)).toEqual(['f'])
  })

  test('--network none has a loopback and nothing else, host has ours', async () => {
    const links = 'cut -d: -f1 /proc/net/dev | tail -n +3'
    const names = (text: string) => text.split(/\s+/).filter(name => name && !/^m(l|inilab)/.test(name)) // other tests' come and go
    const own = names(
      readFileSync('/proc/net/dev', 'utf8').replace(/:.*/g, '').split('\n').slice(2).join('\n'),
    )
    const none = await sh(user, ['--network', 'none'], links)
    expect(none.stdout.trim()).toBe('lo')
    const host = await sh(user, ['--network', 'host'], links)
    expect(names(host.stdout)).toEqual(own)
    // its cgroups are its own in both, and can be read only: it sees the processes of no one else. Not by a pipe: its second
    // process may be there already, or not yet
    const cgroups =
      'cd /sys/fs/cgroup; ls; cat cgroup.procs */cgroup.procs >/p 2>/dev/null; sort -un /p; touch x; echo $? >&2'
    const [inNone, inHost] = [
      await sh(user, ['--network', 'none'], cgroups),
      await sh(user, ['--network', 'host'], cgroups),
    ]
    expect(inHost.stdout).toBe(inNone.stdout)
    expect(inHost.stderr).toMatch(/Read-only file system\n1\n$/)
  })

  test('in the background: ps, exec, logs, kill, rm', async () => {
    const data = userData(user)
    const minilab = (...args: string[]) => runMinilab(args, { user, data })
    onTestFinished(async () => void (await minilab('rm', '-f', 'box')))
    const started = await minilab('run', '-d', '--name', 'box', 'default', 'sh', '-c', 'echo up; sleep 1000')
    expect(started.stderr).toBe('')
    expect(started.stdout).toMatch(/^[0-9a-f]{12}\n$/)
    const [row] = JSON.parse((await minilab('ps', '--json')).stdout) as Row[]
    const pid = row?.pid ?? 0
    expect(row).toMatchObject({ name: 'box', status: 'running', id: started.stdout.trim() })
    expect(nsPids(pid).at(-1)).toBe(1)

    const inside = await minilab('exec', 'box', 'sh', '-c', 'readlink /proc/self/ns/net; exit 3')
    expect(inside).toMatchObject({ stdout: `net:[${namespaceInode(pid, 'net')}]\n`, status: 3 })
    expect((await minilab('exec', 'box', 'nope')).status).toBe(127)
    expect((await minilab('logs', 'box')).stdout).toBe('up\n')

    const again = await minilab('run', '-d', '--name', 'box', 'default', 'true')
    expect(again).toMatchObject({ status: 125, stderr: expect.stringContaining('is taken') as string })
    expect((await minilab('rm', 'box')).stderr).toContain('is still running')
    expect((await minilab('kill', 'box')).status).toBe(0)
    await expect
      .poll(async () => (await minilab('ps', '-a')).stdout, { timeout: 60_000 })
      .toContain('exited (137)')
    expect((await minilab('rm', 'box')).status).toBe(0)
    expect(existsSync(`/proc/${pid}`)).toBe(false)
    expect(JSON.parse((await minilab('ps', '-a', '--json')).stdout)).toEqual([])
    expect(readdirSync(join(data, 'containers'))).toEqual([])
    expect(readdirSync(join(data, 'logs'))).toEqual([])
  })

  test('a published port is reached from the host', async ({ skip }) => {
    const data = userData(user)
    const minilab = (...args: string[]) => runMinilab(args, { user, data })
    const port = await freePort()
    onTestFinished(async () => void (await minilab('rm', '-f', 'web')))
    const serve = 'while :; do echo hello from $$ | nc -l -p 80; done'
    const { stderr } = await minilab(
      'run',
      '-d',
      '--name',
      'web',
      '-p',
      `${port}:80`,
      'default',
      'sh',
      '-c',
      serve,
    )
    expect(stderr).toBe('')
    const nc = await minilab('exec', 'web', 'sh', '-c', 'command -v nc')
    skip(nc.status !== 0, "the image is made of this machine's tools, and there is no nc among them")
    await expect.poll(() => fetchText(port), { timeout: 60_000 }).toBe('hello from 1\n')
    const taken = await minilab('run', '--rm', '-p', `${port}:80`, 'default', 'true')
    expect(taken).toMatchObject({
      status: 125,
      stderr: expect.stringContaining(`:${port} is in use`) as string,
    })
  })

  test.each(
    few(7, [
      [['run', '--memory', '12q', 'default', 'true'], 125, '"12q" is not a valid size'],
      [['run', '--cpus', 'many', 'default', 'true'], 125, 'not a number of CPUs'],
      [['run', '--pids-limit', '-5', 'default', 'true'], 125, 'not a whole number from 1'],
      [['run', '-p', '80', 'default', 'true'], 125, 'is not a port'],
      [['run', '-v', 'nope', 'default', 'true'], 125, 'is not a volume'],
      [['run', '-v', '/not/here:/x', 'default', 'true'], 125, 'there is no /not/here'],
      [['run', '--network', 'brigde', 'default', 'true'], 125, 'did you mean bridge?'],
      [['run', '--cap-add', 'net_admn', 'default', 'true'], 125, 'CAP_NET_ADMIN'],
      [['run', '-u', 'nobdy', 'default', 'true'], 125, 'no user "nobdy"'],
      [['run', 'defalt', 'true'], 125, 'did you mean "default"?'],
      [['run', '/etc/passwd', 'true'], 125, '/etc/passwd is a file'],
      [['run', '--rm', 'default', 'nope'], 127, 'there is no nope in the container'],
      [['run', '--rm', 'default', '/etc/passwd'], 126, 'cannot be executed'],
      [['run', '--rm', 'default', '/etc'], 126, 'cannot be executed'],
      [['run', '--mem', '1m', 'default', 'true'], 125, 'unknown option'],
      [['exec', 'nobody', 'true'], 125, 'there is no container "nobody"'],
      [['kill', '-s', 'SIGKIL', 'x'], 2, 'did you mean SIGKILL?'],
      [['runn', 'default'], 2, 'run'],
    ]),
  )('%j: status %i, one line', async (args, status, line) => {
    const data = shared[user]
    const ran = await runMinilab(args, { user, data })
    expect(ran.stdout).toBe('')
    expect(ran.stderr).toContain(line)
    expect(ran.stderr).not.toMatch(/^\s+at /m)
    expect(ran.status).toBe(status)
    for (const folder of ['containers', 'ledger'])
      if (existsSync(join(data, folder))) expect(readdirSync(join(data, folder))).toEqual([])
  })

  test('a full disk is said in one line, and leaves nothing', async ({ skip }) => {
    skip(!isRoot, 'mounting a small tmpfs over the data folder needs root')
    const data = userData('root')
    const inSmall = [
      'unshare',
      '-m',
      '--propagation',
      'private',
      'sh',
      '-c',
      `mount -t tmpfs -o size=64k none ${data}; exec "$0" "$@"`,
    ]
    const ran = await runMinilab(['run', '--rm', 'default', 'true'], { user: 'root', data, wrapper: inSmall })
    expect(ran.status).toBe(125)
    expect(ran.stderr).toMatch(/^minilab: [^\n]*(ENOSPC|no space)[^\n]*\n$/)
  })
})

describe.runIf(isRoot)('run with limits, as root', () => {
  test('they are written to its cgroup, which goes with it', async () => {
    const data = userData('root')
    const minilab = (...args: string[]) => runMinilab(args, { user: 'root', data })
    onTestFinished(async () => void (await minilab('rm', '-f', 'small')))
    await minilab(
      'run',
      '-d',
      '--name',
      'small',
      '-m',
      '64m',
      '--cpus',
      '0.5',
      '--pids-limit',
      '30',
      'default',
      'sleep',
      '1000',
    )
    const [row] = JSON.parse((await minilab('ps', '--json')).stdout) as Row[]
    const folders = cgroupFolders(row?.pid ?? 0)
    const values = folders.flatMap(folder =>
      ['memory.limit_in_bytes', 'memory.max', 'cpu.cfs_quota_us', 'cpu.max', 'pids.max']
        .map(file => join(folder, file))
        .filter(path => existsSync(path))
        .map(path => readFileSync(path, 'utf8').trim()),
    )
    expect(values).toContain('67108864')
    expect(values.some(value => value === '50000' || value === '50000 100000')).toBe(true)
    expect(values).toContain('30')
    // as with docker exec: what joins a container that has as many processes as it may
    execFileSync('sh', [
      '-c',
      'echo 1 > "$0"',
      join(
        folders.find(folder => existsSync(join(folder, 'pids.max')))!,
        'pids.max',
      ),
    ])
    expect(await minilab('exec', 'small', 'sh', '-c', 'exit 6')).toMatchObject({ status: 6, stderr: '' })
    await minilab('rm', '-f', 'small')
    await expect.poll(() => folders.filter(folder => existsSync(folder)), { timeout: 60_000 }).toEqual([])
  })
})

test('a directory is a root file system too, and is written to', async () => {
  const rootfs = userFolder()
  for (const folder of ['bin', 'proc', 'sys', 'dev', 'tmp']) mkdirSync(join(rootfs, folder))
  const found = execFileSync('sh', ['-c', 'command -v busybox || true'], { encoding: 'utf8' }).trim()
  writeFileSync(join(rootfs, 'bin/sh'), readFileSync(found), { mode: 0o755 })
  const { status } = await runMinilab(['run', '--rm', rootfs, '/bin/sh', '-c', 'echo here > /tmp/file'])
  expect(status).toBe(0)
  expect(readFileSync(join(rootfs, 'tmp/file'), 'utf8')).toBe('here\n')
})

/** The directories of a process's cgroups of ours, found by hand: every mounted hierarchy that has its path. */
function cgroupFolders(pid: number): string[] {
  const paths = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    .split('\n')
    .map(line => line.split(':')[2] ?? '')
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter(line => / - cgroup2? /.test(line))
  const ours = [...new Set(paths)].filter(path => path.includes('minilab'))
  return mounts
    .flatMap(line => ours.map(path => join(line.split(' ')[4] ?? '', path)))
    .filter(folder => existsSync(folder))
}

async function fetchText(port: number): Promise<string> {
  const socket = createConnection(port, '127.0.0.1')
  socket.setTimeout(2000, () => socket.destroy())
  return text(socket).catch((error: Error) => error.message)
}
