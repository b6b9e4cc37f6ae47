// What a third attack on `run` and `exec` has found. The kernel, or a program of the host, is the judge.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { cgroupOf } from '../../lib/kernel/cgroup/cgroup.ts'
import { unlessGone } from '../../lib/kernel/process/procfs.ts'
import {
  identity,
  isRoot,
  runMinilab,
  self,
  sharedData,
  userData,
  userFolder,
  users,
} from '../support/minilab.ts'

const ENTRY = join(import.meta.dirname, '../../bin.mjs')
const data = sharedData()
const minilab = `${process.execPath} -- ${ENTRY}`
const ALONE = 'run --rm --network none'

function script(text: string, { folder = data[self], wrapper = [] as string[] } = {}) {
  const [program = '', ...args] = [...wrapper, 'bash', '-c', text]
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    timeout: 90_000, // against hanging
    env: { ...process.env, MINILAB_DATA: folder },
  })
  return { status, stdout, stderr }
}

const pidsIn = (path: string) => readFileSync(join(path, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean)

const stateOf = (folder: string, id: string) =>
  JSON.parse(readFileSync(join(folder, 'containers', id, 'state.json'), 'utf8')) as {
    keeper: { pid: number }
  }

describe.each(users)('as %s', user => {
  test.each(['SIGUSR1', 'SIGALRM', 'SIGCONT'] as const)(
    '%s reaches a program on the bridge, which alone decides what it means',
    async signal => {
      const inside = `trap "echo got; exit 21" ${signal.slice(3)}; echo ready; while :; do sleep 0.1; done`
      const args = ['--', ENTRY, 'run', '--rm', 'default', 'sh', '-c', inside]
      const child = spawn(process.execPath, args, {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, MINILAB_DATA: data[user], HOME: data[user] },
        ...identity(user),
      })
      const ended = once(child, 'exit')
      child.stdout.once('data', () => child.kill(signal))
      expect(await text(child.stdout)).toBe('ready\ngot\n')
      expect(await ended).toEqual([21, null])
    },
  )

  test('exec enters the working directory as root, and says what is wrong with another', async () => {
    const exec = (...words: string[]) => runMinilab(['exec', ...words], { user, data: data[user] })
    const run = [
      'run',
      '-d',
      '--name',
      'rooted',
      '-w',
      '/root',
      '--network',
      'none',
      'default',
      'sleep',
      '1000',
    ]
    await runMinilab(run, { user, data: data[user] })
    onTestFinished(async () => void (await runMinilab(['rm', '-f', 'rooted'], { user, data: data[user] })))
    // without root there is one user
    const as = user === 'root' ? ['-u', '1000'] : []
    expect(await exec(...as, 'rooted', 'pwd')).toMatchObject({ status: 0, stdout: '/root\n', stderr: '' })
    for (const [path, errno] of [
      ['/nope', 'ENOENT'],
      ['/etc/passwd', 'ENOTDIR'],
    ] as const) {
      const { status, stderr } = await exec('-w', path, 'rooted', 'pwd')
      expect({ status, stderr }).toEqual({
        status: 125,
        stderr: `minilab: the working directory "${path}" of the container cannot be entered (${errno}): choose another working directory: -w /\n`,
      })
    }
  })
})

test('as many folders in PATH as one likes, and much in the environment', () => {
  const { status, stdout, stderr } = script(
    `${minilab} ${ALONE} -e PATH=$(seq -s: -f '/d%g' 200):/bin -e X=$(head -c 120000 /dev/zero | tr '\\0' a) default echo hi`,
  )
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'hi\n', stderr: '' })
})

test('a container in the background does not keep the directory that it was started in', () => {
  const folder = userFolder()
  onTestFinished(() => void script(`${minilab} rm -f elsewhere`))
  const run = `${minilab} run -d --name elsewhere --network none default sleep 1000`
  const { stdout } = script(`cd ${folder}; ${run}`)
  const { keeper } = stateOf(data[self], stdout.trim())
  expect(execFileSync('readlink', [`/proc/${keeper.pid}/cwd`], { encoding: 'utf8' })).toBe('/\n')
})

test('rm -f ends a run whose reader does not read, and nobody is killed for it', () => {
  const { stdout, stderr } = script(
    `mkfifo $1/fifo; exec 3<>$1/fifo; ${minilab} ${ALONE} --name unread default yes >&3 & ` +
      `until ${minilab} ps | grep -q unread; do sleep 0.1; done; ${minilab} rm -f unread; wait $!; echo $?`.replaceAll(
        '$1',
        userFolder(),
      ),
  )
  expect(stdout).toMatch(/^unread\n\d+\n$/)
  expect(stderr).not.toContain('is killed')
})

test('a window that is closed changes no exit status', () => {
  const said = join(userFolder(), 'said')
  const inside = 'trap "exit 9" HUP; echo ready; while :; do sleep 0.1; done'
  const args = [process.execPath, '--', ENTRY, ...ALONE.split(' '), '-it', 'default', 'sh', '-c', inside]
  const python = `
import os, pty, sys
pid, master = pty.fork() # the leader of a session, which hears of its end
if pid == 0:
    os.dup2(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), 2)
    os.execv(sys.argv[2], sys.argv[2:])
seen = b''
while b'ready' not in seen: seen += os.read(master, 1024)
os.close(master)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`
  const { stdout } = spawnSync('python3', ['-c', python, said, ...args], {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, MINILAB_DATA: data[self] },
  })
  expect({ stdout, said: readFileSync(said, 'utf8') }).toEqual({ stdout: '9\n', said: '' })
})

test.each([
  ['1</tmp', 'stdout is a directory: give a file'],
  [
    '-v /etc/passwd:/etc/resolv.conf/x',
    'nothing can be mounted on "/etc/resolv.conf/x" in the container (ENOTDIR): ',
  ],
  [
    '-v /tmp:/a -v /usr:/a/',
    'two volumes have the destination /a: leave one out, or choose another destination',
  ],
  ['-v /dev/null:/dev/null', `-v "/dev/null:/dev/null": the container has its own /dev/null: `],
])('run %s: one line', (words, says) => {
  const { status, stderr } = script(`${minilab} ${ALONE} ${words} default true`)
  expect(status).toBe(125)
  expect(stderr).toMatch(/^[^\n]+\n$/)
  expect(stderr).toContain(`minilab: ${says}`)
})

test.each([
  ...[
    '{}',
    '[]',
    'null',
    'x',
    '0',
    '3',
    '2000',
    '{"listeners":[null]}',
    '{"listeners":[{"port":80,"fd":"x"}]}',
  ],
  ...['{"port":80,"fd":2000}', '{"fd":0}'].map(listener => `{"listeners":[${listener}]}`),
  ...['"notify":"x"', '"notify":2000', '"log":5', '"log":"/tmp/x"', '"keeper":"x"', '"keeper":4194304'].map(
    more => `{"listeners":[],${more}}`,
  ),
])('MINILAB_HANDED=%s: one line', handed => {
  const { stderr } = script(`MINILAB_HANDED='${handed}' ${minilab} ${ALONE} default true`)
  expect(stderr).toBe(
    'minilab: MINILAB_HANDED is set, but not by minilab: unset it: only minilab may set it\n',
  )
})

const ofRoot = isRoot ? test : undefined
ofRoot?.('what cannot be taken back keeps no other container from running', () => {
  const folder = userData()
  const { stdout } = script(`${minilab} run -d --rm --network none default sleep 1000`, { folder })
  const id = stdout.trim()
  const busy = join(folder, 'containers', id, 'upper/busy')
  onTestFinished(() => void script(`umount ${busy}`))
  script(`mkdir ${busy}; mount -t tmpfs none ${busy}`)
  process.kill(stateOf(folder, id).keeper.pid, 'SIGKILL')
  const next = script(`${minilab} ${ALONE} default echo hi`, { folder })
  expect(next).toMatchObject({ status: 0, stdout: 'hi\n' })
  expect(next.stderr).toMatch(
    /^minilab: a container left something behind: rmdir \S+busy failed with EBUSY: .+\n$/,
  )
  script(`umount ${busy}`)
  expect(script(`${minilab} ${ALONE} default echo hi`, { folder })).toMatchObject({ status: 0, stderr: '' })
  expect(readdirSync(join(folder, 'containers'))).toEqual([])
})

ofRoot?.('the host knows at once that an address has another container', () => {
  const inNetns = `
    ip link set lo up
    address() { ${minilab} ps --json | python3 -c "import json,sys; print(next(c['address'] for c in json.load(sys.stdin) if c['name'] == '$1'))"; }
    ${minilab} run -d --name keeps-the-bridge default sleep 1000
    for i in 1 2; do
      ${minilab} run -d --name server$i default sleep 1000
      a=$(address server$i)
      (echo >/dev/tcp/$a/1) 2>/dev/null  # refused, after its link-layer address was asked for
      echo "$a $(ip neigh show $a | sed 's/.*lladdr \\([^ ]*\\).*/\\1/') $(${minilab} exec server$i cat /sys/class/net/eth0/address)"
      ${minilab} rm -f server$i
    done
    ${minilab} rm -f keeps-the-bridge`
  const { stdout, stderr } = script(inNetns, { folder: userData(), wrapper: ['unshare', '-n'] })
  expect(stderr).toBe('')
  const seen = stdout.split('\n').filter(line => line.includes(':'))
  const [first = [], second = []] = seen.map(line => line.split(' '))
  expect(first[0]).toBe(second[0]) // the same address
  expect(first[1]).toBe(first[2])
  expect(second[1]).toBe(second[2])
  expect(second[1]).not.toBe(first[1])
})

ofRoot?.(
  'what is mounted below an image directory is as restricted as that, by a link and hidden mounts too',
  () => {
    const folder = userFolder()
    const made = `
    cp -a ${data[self]}/layers/*/diff $1/real; ln -s real $1/link; mkdir -p $1/real/sub $1/real/over
    mount -t tmpfs none $1/real/sub; mknod $1/real/sub/device c 1 3
    mount -t tmpfs none $1/real/over; mkdir $1/real/over/under; mount -t tmpfs none $1/real/over/under
    mount -t tmpfs none $1/real/over
    for how in --read-only ''; do
      ${minilab} ${ALONE} $how $1/link sh -c 'echo x >/sub/f && echo written; echo x >/sub/device && echo opened; ls -d /over; touch /made && echo made' 2>&1
    done`.replaceAll('$1', folder)
    const { stdout } = script(made, { wrapper: ['unshare', '-m'] })
    const refused = [
      "sh: can't create /sub/f: Read-only file system",
      "sh: can't create /sub/device: Permission denied",
    ]
    const [readOnly, writable] = [
      [...refused, '/over', 'touch: /made: Read-only file system'],
      ['written', refused[1], '/over', 'made'],
    ]
    expect(stdout.trimEnd().split('\n')).toEqual([...readOnly, ...writable])
  },
)

test('two volumes are for one place where a link of the image leads from one to the other', () => {
  const { stderr } = script(`${minilab} ${ALONE} -v /tmp:/x/a -v /usr:/y/a ${linked()} true`)
  expect(stderr).toBe(
    'minilab: two volumes have the destination "/x/a", one through a link in the image: leave one out, or choose another destination\n',
  )

  function linked(): string {
    const folder = userFolder()
    script(`mkdir ${folder}/x; ln -s x ${folder}/y`)
    return folder
  }
})

test('a container that stops all who join it holds nobody: exec ends, at the latest by a signal, and leaves nothing', async () => {
  const stops = 'while :; do for p in /proc/[0-9]*; do p=${p#/proc/}; [ $p = 1 ] || kill -STOP $p; done; done'
  onTestFinished(() => void script(`${minilab} rm -f stopping`))
  script(`${minilab} run -d --name stopping --network none default sh -c '${stops}'`)
  for (let i = 0; i < 5; i++) {
    const child = spawn(process.execPath, ['--', ENTRY, 'exec', 'stopping', 'echo', 'ok'], {
      detached: true, // a group of its own, as a shell with job control makes it
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, MINILAB_DATA: data[self] },
    })
    const ended = once(child, 'exit')
    const said = Promise.all([text(child.stdout), text(child.stderr)])
    const timer = setTimeout(() => process.kill(-child.pid!, 'SIGTERM'), 4000)
    const [status, signal] = (await ended) as [number | null, string | null]
    clearTimeout(timer)
    // it gave up; or the program, which may be stopped as long as one likes, was ended by our signal; or exec itself, on a busy machine
    expect([
      [null, 'SIGTERM'],
      [125, null],
      [0, null],
      [143, null],
    ]).toContainEqual([status, signal])
    if (status === 125)
      expect((await said)[1]).toMatch(/^minilab: stopping stops every process that joins it: /)
  }
  const listed = JSON.parse(script(`${minilab} ps --json`).stdout) as { name: string; pid: number }[]
  const { pid = 0 } = listed.find(({ name }) => name === 'stopping') ?? {}
  const inside = cgroupOf(pid).folders.flatMap(({ path }) => pidsIn(path))
  const words = inside.map(pid => unlessGone(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')) ?? '')
  expect(words.filter(args => args.startsWith('minilab exec'))).toEqual([])
})

test.each(['minilab', 'bin.mjs'])(
  'as many open files as the caller may have, and not as many as Node takes for itself: %s',
  name => {
    onTestFinished(() => void script(`${minilab} rm -f files`))
    const node = `PATH=${dirname(process.execPath)}:$PATH`
    const entry = `${node} sh ${join(import.meta.dirname, '../..', name)}`
    const { stdout, stderr } = script(`
      ulimit -Sn 321; ulimit -Hn 2000
      ${entry} run -d --name files --network none default sh -c 'ulimit -Sn; ulimit -Hn; sleep 1000' >/dev/null
      until ${entry} logs files | grep 2000; do sleep 0.1; done
      ${entry} logs files | grep 321
      ulimit -Sn 456
      ${entry} exec files sh -c 'ulimit -Sn; ulimit -Hn'
      ulimit -Sn 12
      ${entry} ${ALONE} default sh -c 'ulimit -Sn'`)
    expect({ stdout, stderr }).toEqual({ stdout: '2000\n321\n321\n2000\n12\n', stderr: '' })
  },
)

ofRoot?.(
  'a router advertisement of a container does not change the routes of the host: CVE-2020-13401',
  () => {
    const advertise = `import socket, struct, time
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
eth0 = socket.if_nametoindex('eth0')
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, eth0)
s.sendto(struct.pack('>BBHBBHII', 134, 0, 0, 64, 0, 1800, 0, 0), ('ff02::1', 0, 0, eth0))`
    const inNetns = `
    ip link set lo up
    ${minilab} run -d --name advertises default sleep 1000 >/dev/null
    pid=$(${minilab} ps --json | python3 -c "import json,sys; print(json.load(sys.stdin)[0]['pid'])")
    settled() { nsenter -t $pid -n ip -6 address show dev eth0 scope link | grep -q inet6 && ! ip -6 address | grep -q tentative && ! nsenter -t $pid -n ip -6 address | grep -q tentative; }
    for i in $(seq 400); do settled && break; sleep 0.05; done
    advertise() { nsenter -t $pid -n python3 -c "${advertise}"; }
    route() { ip -6 route show default | grep -c fe80; }
    advertise; sleep 0.3; route
    echo 1 >/proc/sys/net/ipv6/conf/minilab0/accept_ra # as it was before: so it can be seen to fail
    for i in $(seq 20); do advertise; sleep 0.1; [ $(route) = 1 ] && break; done; route
    ${minilab} rm -f advertises >/dev/null`
    const { stdout, stderr } = script(inNetns, { folder: userData(), wrapper: ['unshare', '-n'] })
    expect([stdout, stderr]).toEqual(['0\n1\n', ''])
  },
)

test('a terminal whose output cannot be written: the program ends, that is told, and its end is recorded', async () => {
  const folder = userData()
  const inside = 'trap "exit 3" HUP; yes | head -c 100000; while :; do sleep 0.1; done'
  const { status, stderr } = script(
    `${minilab} run --name full --network none -t default sh -c '${inside}' </dev/null >/dev/full`,
    { folder },
  )
  expect(stderr).toMatch(
    /^minilab: cannot write to stdout: ENOSPC: .*: all further input or output of the program is lost\n$/,
  )
  expect(status).toBe(125)
  const { stdout } = await runMinilab(['ps', '-a', '--json'], { data: folder })
  expect(JSON.parse(stdout)).toMatchObject([{ name: 'full', status: 'exited (3)' }])
  expect(readdirSync(join(folder, 'ledger'))).toEqual([])
})

test('a file that takes no bytes as stdout: the copy ends, and says so', () => {
  const { status, stderr } = script(`exec 1<>/proc/self/mem; ${minilab} ${ALONE} default echo x`)
  expect(stderr).toMatch(
    /^minilab: cannot write to stdout: .*: all further input or output of the program is lost\n$/,
  )
  expect(status).toBe(125)
})

// EIO of a terminal means that it has gone; of anything else that it cannot be read or written
test('stdin that cannot be read, and is no terminal, is an error', () => {
  const open = `import os, subprocess, sys; sys.exit(subprocess.run(sys.argv[1:], stdin=os.open('/proc/self/mem', os.O_RDWR)).returncode)`
  const { status, stderr } = script(`python3 -c "${open}" ${minilab} ${ALONE} -i default cat`)
  expect(stderr).toMatch(
    /^minilab: cannot read stdin: EIO: .*: all further input or output of the program is lost\n$/,
  )
  expect(status).toBe(125)
})

ofRoot?.("a container ignores another one's router advertisements", () => {
  const { stdout } = script(`${minilab} run --rm default cat /proc/sys/net/ipv6/conf/eth0/accept_ra`, {
    wrapper: ['unshare', '-n'],
  })
  expect(stdout).toBe('0\n')
})
